//! Files that are almost Dockerfiles: what people mistype, and what nobody would. Two thirds are real ones with one to
//! four changes; the others are short ones put together from pieces, which come deeper into the rules of an instruction.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::corpus::File;

/// What is put into files.
const PIECES: &[&str] = &[
    "FROM scratch\n",
    "FROM a AS b\n",
    "from x as 1\n",
    "ARG A=1\n",
    "ARG\n",
    "ENV A b\n",
    "ENV A=b C\n",
    "RUN \n",
    "CMD [\"a\"]\n",
    "CMD [1]\n",
    "ENTRYPOINT []\n",
    "SHELL [\"a\"]\n",
    "SHELL a\n",
    "EXPOSE\n",
    "VOLUME [\"\"]\n",
    "HEALTHCHECK NONE\n",
    "HEALTHCHECK --interval=5 CMD x\n",
    "HEALTHCHECK --retries=1 CMD\n",
    "ONBUILD RUN x\n",
    "ONBUILD ONBUILD RUN x\n",
    "ONBUILD FROM x\n",
    "STOPSIGNAL 9\n",
    "USER\n",
    "WORKDIR /\n",
    "LABEL a\n",
    "LABEL a=\"b c\" d='e\n",
    "MAINTAINER x\n",
    "COPY a\n",
    "COPY --link=x a b\n",
    "COPY --from=b --parents a b\n",
    "ADD --unpack a b\n",
    "RUNN x\n",
    "--platform=a ",
    "--mount=type=cache,target=/x ",
    "--mount=from=$A ",
    "--mount=\\\"a ",
    "--mount= ",
    "--network=none ",
    "--network=x ",
    "--device=a=b,required ",
    "--link ",
    "--link=false ",
    "--chown=a:b ",
    "--x ",
    "-- ",
    "--exclude=a ",
    "--security=insecure ",
    "--interval=1us ",
    "<<EOF ",
    "<<-EOF ",
    "<<'EOF' ",
    "<<\"E F\" ",
    "<<<x ",
    "3<<E ",
    "<<E\\OF ",
    "<<${x:-E} ",
    "<< EOF ",
    "EOF\n",
    "\tEOF\n",
    "E F\n",
    "\\\n",
    "\\ \n",
    "\\\\\n",
    "`\n",
    "`",
    "\\",
    "\"",
    "'",
    "[",
    "]",
    "[\"a\", \"b\"]",
    ",",
    "{}",
    "null",
    "=",
    "$",
    "${",
    "}",
    "${a[0]}",
    "${A:-b c}",
    "#",
    "# comment\n",
    "# escape=`\n",
    "# escape=\\\n",
    "# escape=x\n",
    "# syntax=a/b:1\n",
    "# check=skip=all\n",
    "# check=x\n",
    "# check=error=true;skip=A,B\n",
    "#!/bin/sh\n",
    "//syntax=x\n",
    "\r\n",
    "\r",
    "\n",
    "\n\n",
    " ",
    "\t",
    "\u{b}",
    "\u{c}",
    "\u{a0}",
    "\u{85}",
    "\u{2003}",
    "é",
    "à",
    "\u{212a}",
    "ſ",
    "İ",
    "ı",
    "\u{feff}",
    "\0",
    "AS ",
    "as ",
    "NONE",
    "CMD ",
    "\\u00e9",
];

/// What instructions of composed files begin with.
const KEYWORDS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
    "RUN",
    "COPY",
    "HEALTHCHECK CMD",
    "ONBUILD RUN",
    "ONBUILD COPY",
    "ENV",
];

/// Words of composed files, besides the pieces.
const WORDS: &[&str] = &[
    "a",
    "b=c",
    "/x",
    "a='b c'",
    "\"d e\"",
    "[\"a\"]",
    "[\"a\", 1]",
    "[]",
    "AS",
    "$A",
    "${A:-b}",
    "x:1",
    "\\ ",
    "\\\n",
    "\\\n# c\n",
    "<<E",
    "<<-E <<F",
    "--mount=type=bind,from=a",
    "--network=host",
    "--chown=1",
    "--link",
    "--from=0",
    "--interval=1m",
    "--retries=3",
    "--timeout=",
    "--platform=x",
    "--exclude=*",
    "--device=x",
    "--chmod",
    "=",
    "NONE",
    "CMD",
    "it's",
    "80/tcp",
    "\u{a0}",
    "à",
    "`",
];

/// What is put at the top.
const HEADS: &[&str] = &[
    "# comment\n",
    "# escape=`\n",
    "# escape=\\\n",
    "# escape=x\n",
    "# syntax=a/b:1\n",
    "# check=skip=all\n",
    "# check=x\n",
    "# check=error=true;skip=A,B\n",
    "#!/bin/sh\n",
    "//syntax=x\n",
    "# escape = ` \r\n",
    " # escape=`\n",
    "#\n",
];

/// `count` mutated files, each of one of `real`; the same for the same seed.
pub fn all(real: &[File], count: usize, seed: u64) -> Vec<File> {
    let one = |number: usize| {
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        if number % 3 == 0 {
            return File {
                name: format!("composed+{number}"),
                bytes: composed(&mut random),
                mutated: true,
            };
        }
        let file = &real[random.random_range(0..real.len())];
        let mut bytes = file.bytes.clone();
        // Of long files a part is enough.
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        if lines > 60 && random.random_bool(0.7) {
            let first = random.random_range(0..lines - 40);
            bytes = bytes
                .split_inclusive(|byte| *byte == b'\n')
                .skip(first)
                .take(40)
                .flatten()
                .copied()
                .collect();
            bytes = [b"FROM scratch\n".as_slice(), &bytes].concat();
        }
        for _ in 0..[1, 1, 1, 2, 2, 3, 4][random.random_range(0..7)] {
            mutate(&mut bytes, &mut random);
        }
        File {
            name: format!("{}+{number}", file.name),
            bytes,
            mutated: true,
        }
    };
    (0..count).map(one).collect()
}

fn composed(random: &mut StdRng) -> Vec<u8> {
    let mut text = Vec::new();
    if random.random_bool(0.15) {
        text.extend(HEADS[random.random_range(0..HEADS.len())].as_bytes());
    }
    if random.random_bool(0.95) {
        text.extend(b"FROM scratch\n");
    }
    for _ in 0..random.random_range(1..=2) {
        text.extend(KEYWORDS[random.random_range(0..KEYWORDS.len())].as_bytes());
        for _ in 0..random.random_range(0..=4) {
            text.extend([" ", " ", " ", "", "\t"][random.random_range(0..5)].as_bytes());
            match random.random_bool(0.8) {
                true => text.extend(WORDS[random.random_range(0..WORDS.len())].as_bytes()),
                false => text.extend(piece(random)),
            }
        }
        text.push(b'\n');
        if random.random_bool(0.3) {
            text.extend(b"x\nE\n\tE\nF\n");
        }
    }
    text
}

fn mutate(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let mut lines: Vec<Vec<u8>> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    if lines.is_empty() {
        bytes.extend(b"FROM scratch\n");
        return;
    }
    let line = random.random_range(0..lines.len());
    match random.random_range(0..17) {
        0 => drop(lines.remove(line)),
        1 => {
            let again = lines[line].clone();
            lines.insert(line, again);
        }
        2 => {
            let other = random.random_range(0..lines.len());
            lines.swap(line, other);
        }
        3 => {
            let at = random.random_range(0..=lines.len());
            lines.insert(at, piece(random));
        }
        4..=6 => {
            let at = random.random_range(0..=lines[line].len());
            let piece = piece(random);
            lines[line].splice(at..at, piece);
        }
        // After the first word: where flags stand.
        7..=8 => {
            let at = lines[line]
                .iter()
                .position(|byte| *byte == b' ')
                .map_or(0, |at| at + 1);
            let piece = piece(random);
            lines[line].splice(at..at, piece);
        }
        9 => {
            let at = random.random_range(0..lines[line].len());
            lines[line].remove(at);
        }
        10 => {
            let at = random.random_range(0..lines[line].len());
            let again = lines[line][at];
            lines[line].insert(at, again);
        }
        11 => {
            let (one, other) = (
                random.random_range(0..lines[line].len()),
                random.random_range(0..lines[line].len()),
            );
            lines[line].swap(one, other);
        }
        12 => {
            let at = random.random_range(0..=lines[line].len());
            lines[line].insert(at, random.random());
        }
        13 => {
            let mut ended = Vec::new();
            for line in &lines {
                ended.extend(line.iter().filter(|byte| **byte != b'\r' && **byte != b'\n'));
                ended.extend(b"\r\n");
            }
            lines = vec![ended];
        }
        14 => lines.insert(0, b"\xEF\xBB\xBF".to_vec()),
        15 => {
            let at = random.random_range(0..=lines[line].len());
            lines[line].truncate(at);
        }
        _ => lines.insert(0, HEADS[random.random_range(0..HEADS.len())].as_bytes().to_vec()),
    }
    *bytes = lines.concat();
}

fn piece(random: &mut StdRng) -> Vec<u8> {
    PIECES[random.random_range(0..PIECES.len())].as_bytes().to_vec()
}
