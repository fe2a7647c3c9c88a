//! In which surroundings a unit's own commands run.

use abide_model::Launch;

/// Variables, and user and group id if they are not ours.
pub type Surroundings = (Vec<(String, String)>, Option<(u32, u32)>);

/// The surroundings of a unit's processes.
///
/// # Errors
/// There is no such account.
pub fn surroundings(launch: &Launch) -> Result<Surroundings, String> {
    let identity = match &launch.user {
        None => None,
        Some(user) => {
            let id = user
                .parse::<u32>()
                .map_err(|_| format!("find the user {user}"))?;
            Some((id, id))
        }
    };
    Ok((launch.environment.variables.clone(), identity))
}
