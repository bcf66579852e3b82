use super::*;

fn project(files: &[(&str, &str)]) -> Project {
    Project::of_texts(files.iter().copied())
}

fn read(dockerfile: &str, target: Option<&str>) -> ImagePaths {
    let project = project(&[
        ("Dockerfile", dockerfile),
        ("package.json", ""),
        ("src/main.js", ""),
        ("src/lib/x.js", ""),
    ]);
    let id = project.find("Dockerfile").unwrap();
    image_paths(&project, id, Some(""), target).unwrap()
}

fn filled(dockerfile: &str) -> Vec<(String, Filling)> {
    let paths = read(dockerfile, None);
    paths
        .filled
        .into_iter()
        .map(|one| (one.path, one.content))
        .collect()
}

fn folder(path: &str, source: &str) -> (String, Filling) {
    (path.to_owned(), Filling::Folder(source.to_owned()))
}

#[test]
fn destinations_are_relative_to_the_working_folder_of_the_stage_and_of_those_below_it() {
    let text = "\
ARG ROOT=/srv
FROM node:22 AS base
ARG ROOT
ENV HOME_DIR=$ROOT/app
WORKDIR $HOME_DIR
COPY package.json ./
FROM base AS other
WORKDIR /other
FROM base
WORKDIR web
COPY src ./src
COPY . /whole/
COPY --from=other /x /srv/www/
COPY src/main.js $UNKNOWN/
COPY package.json src/main.js sub
";
    let file = |path: &str, source: &str| (path.to_owned(), Filling::File(Some(source.to_owned())));
    assert_eq!(
        filled(text),
        [
            file("/srv/app/package.json", "package.json"),
            folder("/srv/app/web/src", "src"),
            folder("/whole", ""),
            ("/srv/www".to_owned(), Filling::Other),
            file("/srv/app/web/sub/package.json", "package.json"),
            file("/srv/app/web/sub/main.js", "src/main.js"),
        ]
    );
}

#[test]
fn a_target_is_a_stage_by_name_or_number() {
    let text = "FROM node AS dev\nWORKDIR /dev\nCOPY . .\nFROM node\nWORKDIR /prod\nCOPY . .\n";
    let path = |target| read(text, target).filled[0].path.clone();
    assert_eq!(path(None), "/prod");
    assert_eq!(path(Some("DEV")), "/dev");
    assert_eq!(path(Some("0")), "/dev");
    let project = project(&[("Dockerfile", text)]);
    let id = project.find("Dockerfile").unwrap();
    assert_eq!(image_paths(&project, id, Some(""), Some("none")), None);
}

#[test]
fn the_working_folder_of_an_unknown_base_is_not_guessed() {
    assert_eq!(filled("FROM example/base\nCOPY . .\n"), []);
    assert_eq!(
        filled("FROM php:8.3-apache\nCOPY . .\n"),
        [folder("/var/www/html", "")]
    );
    assert_eq!(
        filled("FROM example/base\nWORKDIR x\nCOPY . .\nWORKDIR /y\nCOPY src ./\n"),
        [folder("/y", "src")]
    );
}

#[test]
fn volumes_in_both_forms_but_those_that_compose_begins_anew() {
    let paths = read(
        "FROM alpine\nENV D=/data\nVOLUME $D/x /y /w/\nVOLUME [\"/z\", \"$NONE\"]\n",
        None,
    );
    let found: Vec<_> = paths.volumes.iter().map(|volume| volume.path.as_str()).collect();
    assert_eq!(found, ["/data/x", "/y", "/z"]);
}

#[test]
fn what_runs_fill() {
    let text = "\
FROM node:22
WORKDIR /app
RUN npm ci --omit=dev && npm install -g pm2 && cd web && yarn install
RUN git clone --depth 1 https://example.org/x/tool.git && git clone https://example.org/y /opt/y
RUN cd $X && npm ci
";
    let install = |path: &str, command: &str| (path.to_owned(), Filling::Install(command.to_owned()));
    assert_eq!(
        filled(text),
        [
            install("/app/node_modules", "npm ci --omit=dev"),
            install("/app/web/node_modules", "yarn install"),
            ("/app/tool".to_owned(), Filling::Clone),
            ("/opt/y".to_owned(), Filling::Clone),
        ]
    );
    assert!(
        filled("FROM node\nWORKDIR /a\nRUN npm run build\n")
            .contains(&("/a/dist".to_owned(), Filling::Output("npm run build".to_owned())))
    );
}

#[test]
fn what_a_mount_hides() {
    let project = project(&[
        ("Dockerfile", "FROM node\nCOPY . /app\n"),
        ("static/a.css", ""),
        ("data/.gitkeep", ""),
    ]);
    let id = project.find("Dockerfile").unwrap();
    let paths = image_paths(&project, id, Some(""), None).unwrap();
    let whole = |mount: &str| paths.hidden_by(mount).count();
    assert_eq!(
        [
            whole("/app"),
            whole("/"),
            whole("/app/static"),
            whole("/ap"),
            whole("/application")
        ],
        [1, 1, 0, 0, 0]
    );
    let part = |mount: &str| {
        let found = paths.parts_hidden_by(&project, &|path| path.ends_with(".gitkeep"), mount);
        found
            .into_iter()
            .map(|(_, path)| path.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(part("/app/static"), ["static/a.css"]);
    assert!(part("/app/data").is_empty() && part("/app").is_empty() && part("/other").is_empty());
}
