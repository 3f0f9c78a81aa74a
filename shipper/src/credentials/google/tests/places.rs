//! Where credentials are looked for, and what happens when a file changes.

use super::super::*;
use super::fake::*;

fn file(path: PathBuf, named_by: &'static str) -> Place {
    Place::File { path, named_by }
}

#[test]
fn the_order_is_that_of_google_s_tools() {
    let mut world = World::new(Fake::nobody(), Fake::nobody());
    let configured = world.path("configured.json");
    let variable = |name: &str, value: PathBuf| (name.to_owned(), value.to_string_lossy().into_owned());
    let place = |world: &World, configured: Option<PathBuf>| Place::find(&world.identity(configured));
    assert!(matches!(place(&world, None), Place::Metadata { .. }));
    world.variables.push(variable("HOME", world.path("home")));
    assert!(
        matches!(place(&world, None), Place::Metadata { .. }),
        "gcloud was never used"
    );
    let gcloud = world.write("home/.config/gcloud/application_default_credentials.json", "{}");
    let login = "gcloud auth application-default login";
    assert_eq!(place(&world, None), file(gcloud, login));
    world
        .variables
        .push(variable("CLOUDSDK_CONFIG", world.path("sdk")));
    assert!(
        matches!(place(&world, None), Place::Metadata { .. }),
        "it is used in place of HOME"
    );
    let sdk = world.write("sdk/application_default_credentials.json", "{}");
    assert_eq!(place(&world, None), file(sdk, login));
    // What is named need not exist to be the place.
    world.variables.push(variable(
        "GOOGLE_APPLICATION_CREDENTIALS",
        world.path("variable.json"),
    ));
    assert_eq!(
        place(&world, None),
        file(world.path("variable.json"), "GOOGLE_APPLICATION_CREDENTIALS")
    );
    assert_eq!(
        place(&world, Some(configured.clone())),
        file(configured, "`credentials_file`")
    );
}

#[test]
fn a_file_that_is_named_and_missing_is_no_reason_to_be_somebody_else() {
    let vm = Fake::new(|_| panic!("the metadata server is not to be asked"));
    let world = World::new(Fake::nobody(), vm);
    let path = world.path("gone.json");
    let (source, reason) = refused(token(&world.google(Some(path.clone()))).unwrap_err());
    assert_eq!(source, format!("{} (`credentials_file`)", path.display()));
    assert!(reason.contains("cannot be read (entity not found)"), "{reason}");
}

#[test]
fn a_changed_file_is_read_again_and_a_broken_one_is_not_used() {
    let web = Fake::new(|request| {
        let token = field(request, "client_id").unwrap();
        answer(
            200,
            &[],
            &format!("{{\"access_token\":\"{token}\",\"expires_in\":3599}}"),
        )
    });
    let world = World::new(web, Fake::nobody());
    let mut user = authorized_user();
    let write = |user: &serde_json::Value| world.write("user.json", &user.to_string());
    user["client_id"] = json!("first");
    let google = world.google(Some(write(&user)));
    assert_eq!(token(&google).unwrap(), "first");
    user["client_id"] = json!("second");
    write(&user);
    assert_eq!(token(&google).unwrap(), "second");
    world.write("user.json", "{\"type\": \"authorized_");
    assert_eq!(token(&google).unwrap(), "second", "as long as it holds");
    assert_eq!(world.web.asked().len(), 2);
    // Rotated after the receiver has refused the old one.
    user["client_id"] = json!("third");
    write(&user);
    assert_eq!(google.renew(), Renewal::Changed);
    assert_eq!(token(&google).unwrap(), "third");
}

#[test]
fn when_the_old_identity_has_nothing_left_the_broken_file_is_named() {
    let answers = std::sync::atomic::AtomicUsize::new(0);
    let web = Fake::new(
        move |_| match answers.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => answer(200, &[], r#"{"access_token":"t","expires_in":3599}"#),
            _ => answer(400, &[], r#"{"error":"invalid_grant"}"#),
        },
    );
    let world = World::new(web, Fake::nobody());
    let google = world.google_with(&authorized_user());
    token(&google).unwrap();
    world.write("credentials.json", "{");
    world.clock.advance(Duration::from_secs(3600));
    let (_, reason) = refused(token(&google).unwrap_err());
    assert!(reason.starts_with("is not JSON"), "{reason}");
}

#[test]
fn facts_of_a_file_are_its_project_and_universe() {
    let mut world = World::new(Fake::nobody(), Fake::nobody());
    let path = world.write("key.json", &service_account(PKCS8).to_string());
    let facts = world.identity(Some(path)).facts().unwrap();
    assert_eq!(facts.project_id.as_deref(), Some("audit-project"));
    assert_eq!(facts.universe_domain.as_deref(), Some(DEFAULT_UNIVERSE));
    world.variables.clear();
    assert_eq!(world.identity(None).facts().unwrap().project_id, None);
}
