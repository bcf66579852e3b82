//! Against the testkit's engines.

// Helpers of tests are tests to us, but not to clippy.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use testkit::EngineLock;
use unstale_docker::engine::MINIMUM_API;
use unstale_docker::{Endpoint, Engine, EngineError, Environment, ImageStore, Selection};

/// A connection to an engine, which is held beside others for as long.
struct Connected {
    name: &'static str,
    engine: Engine,
    _hold: EngineLock,
}

/// Each engine in turn.
async fn engines() -> Vec<Connected> {
    if testkit::engines().is_empty() {
        testkit::left_out("no engines");
    }
    let mut engines = Vec::new();
    for found in testkit::engines() {
        let selection = Selection {
            host: Some(found.docker_host.clone()),
            context: None,
        };
        let endpoint = Endpoint::resolve(&Environment::default(), &selection).unwrap();
        engines.push(Connected {
            name: &found.name,
            _hold: found.shared(),
            engine: Engine::connect(endpoint).await.unwrap(),
        });
    }
    engines
}

/// An image name of this test's own.
fn name(test: &str) -> String {
    format!("unstale-docker-{test}-{}", std::process::id())
}

async fn remove(engine: &Engine, image: &str) {
    engine
        .api()
        .remove_image(image, None::<bollard::query_parameters::RemoveImageOptions>, None)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_engine_says_who_it_is() {
    for Connected {
        name: engine_name,
        engine,
        ..
    } in engines().await
    {
        let identity = engine.identity().await.unwrap();
        assert!(
            !identity.id.is_empty() && !identity.driver.is_empty(),
            "{identity:?}"
        );
        assert_eq!(identity.os, "linux");
        assert!(identity.api_version >= MINIMUM_API);
        assert!(identity.system_time.contains('T'), "{identity:?}");
        // Only containerd's store describes an image by the descriptor that it is found by.
        let busybox = engine.api().inspect_image("busybox:latest").await.unwrap();
        let expected = if busybox.descriptor.is_some() {
            ImageStore::Containerd
        } else {
            ImageStore::Classic
        };
        assert_eq!(identity.storage, expected, "{engine_name}: {identity:?}");
        let again = Engine::connect(engine.endpoint().clone())
            .await
            .unwrap()
            .identity()
            .await
            .unwrap();
        assert_eq!(identity.id, again.id);
    }
}

#[tokio::test]
async fn images_are_looked_at_and_tagged() {
    for Connected { engine, .. } in engines().await {
        let image = engine.inspect_image("busybox:latest").await.unwrap().unwrap();
        assert!(image.id.starts_with("sha256:"));
        assert!(image.config.is_object(), "{image:?}");
        assert_eq!(image.os, "linux");
        let repository = name("tag");
        engine.tag("busybox:latest", &repository, "x").await.unwrap();
        let tagged = engine
            .inspect_image(&format!("{repository}:x"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(tagged.id, image.id);
        assert!(tagged.repo_tags.contains(&format!("{repository}:x")));
        let by_id = engine.inspect_image(&image.id).await.unwrap().unwrap();
        assert_eq!(by_id.id, image.id);
        remove(&engine, &format!("{repository}:x")).await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_none_and_what_makes_no_sense_is_refused() {
    for Connected { engine, .. } in engines().await {
        assert_eq!(engine.inspect_image(&name("absent")).await.unwrap(), None);
        let error = engine.tag(&name("absent"), "x", "y").await.unwrap_err();
        assert!(
            matches!(error, EngineError::Refused { status: 404, .. }),
            "{error:?}"
        );
        let odd = engine.inspect_image("UPPER case?x=1#y").await;
        assert!(
            matches!(odd, Ok(None) | Err(EngineError::Refused { .. })),
            "{odd:?}"
        );
    }
}

#[tokio::test]
async fn an_archive_is_loaded_under_its_name() {
    for Connected { engine, .. } in engines().await {
        let image = format!("{}:x", name("load"));
        engine.tag("busybox:latest", &name("load"), "x").await.unwrap();
        let archive: Vec<Bytes> = engine.api().export_image(&image).try_collect().await.unwrap();
        remove(&engine, &image).await;
        assert_eq!(engine.inspect_image(&image).await.unwrap(), None);
        let chunks = stream::iter(archive.into_iter().map(Ok::<_, std::io::Error>));
        let loaded = engine.load(chunks).await.unwrap();
        let names: Vec<_> = loaded
            .images
            .iter()
            .map(|name| name.trim_start_matches("docker.io/library/"))
            .collect();
        assert_eq!(names, [image.as_str()]);
        assert!(engine.inspect_image(&image).await.unwrap().is_some());
        remove(&engine, &image).await;
    }
}

#[tokio::test]
async fn an_archive_that_breaks_off_or_is_none_is_an_error() {
    for Connected {
        name: engine_name,
        engine,
        ..
    } in engines().await
    {
        let some = Bytes::from(vec![0_u8; 1 << 16]);
        let broken = stream::iter([Ok(some.clone()), Err(std::io::Error::other("the disk is gone"))]);
        let error = engine.load(broken).await.unwrap_err();
        let chain = format!("{:?}", error);
        assert!(chain.contains("the disk is gone"), "{engine_name}: {chain}");

        let garbage = stream::iter(0..64).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1 << 20])));
        let error = engine.load(garbage).await.unwrap_err();
        println!("{engine_name}: {error}: {error:?}");
        assert!(engine.identity().await.is_ok(), "the engine is well");
    }
}

#[tokio::test]
async fn a_load_that_is_given_up_leaves_the_engine_well() {
    for Connected { engine, .. } in engines().await {
        let endless = stream::unfold((), |()| async {
            tokio::task::yield_now().await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 512])), ()))
        });
        let limit = std::time::Duration::from_millis(300);
        let given_up = tokio::time::timeout(limit, engine.load(endless.take(1 << 20))).await;
        assert!(given_up.is_err() || given_up.is_ok_and(|loaded| loaded.is_err()));
        assert!(engine.identity().await.is_ok());
    }
}
