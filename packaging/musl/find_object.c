/* What Debian's unwinder asks of the C library: where the tables of a function are, and locks.
 *
 * Debian's libgcc_eh.a asks glibc for that by _dl_find_object (glibc 2.35, "Dynamic Linker
 * Introspection" in its manual). musl has no such function, and has dl_iterate_phdr(3), by which
 * it can be answered. The struct is laid out as glibc's <dlfcn.h> has it on the processors that
 * abide is built for.
 */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* libgcc names these weakly, by which a static program gets none of them: it would call nothing. */
__attribute__((used)) static void *const needed[] = {
	(void *)pthread_once,
	(void *)pthread_key_create,
	(void *)pthread_getspecific,
	(void *)pthread_setspecific,
	(void *)pthread_mutex_lock,
	(void *)pthread_mutex_unlock,
};

struct found {
	unsigned long long flags;
	void *map_start;
	void *map_end;
	void *link_map;
	void *eh_frame;
	unsigned long long reserved[7];
};

struct asked {
	uintptr_t address;
	struct found *answer;
};

static int look(struct dl_phdr_info *object, size_t size, void *data)
{
	struct asked *asked = data;
	const ElfW(Phdr) *code = NULL, *tables = NULL;
	(void)size;
	for (size_t n = 0; n < object->dlpi_phnum; n++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[n];
		uintptr_t start = object->dlpi_addr + part->p_vaddr;
		if (part->p_type == PT_LOAD && asked->address - start < part->p_memsz)
			code = part;
		if (part->p_type == PT_GNU_EH_FRAME)
			tables = part;
	}
	if (!code || !tables)
		return 0;
	asked->answer->map_start = (void *)(object->dlpi_addr + code->p_vaddr);
	asked->answer->map_end = (char *)asked->answer->map_start + code->p_memsz;
	asked->answer->eh_frame = (void *)(object->dlpi_addr + tables->p_vaddr);
	return 1;
}

int _dl_find_object(void *address, struct found *answer)
{
	struct asked asked = { (uintptr_t)address, answer };
	*answer = (struct found){ 0 };
	return dl_iterate_phdr(look, &asked) ? 0 : -1;
}
