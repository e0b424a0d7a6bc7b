//! Models that cannot be used, and indexes of another model.

mod common;

use std::fs;
use std::path::Path;

use common::{Folder, embed, fail, model, search, succeed, text};

/// A tokenizer that knows five words.
const TOKENIZER: &str = r#"{
  "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
  "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
  "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "cats": 1, "dogs": 2, "sleep": 3, "bark": 4}}
}"#;

/// A safetensors file with one tensor.
fn tensor(dtype: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let mut header =
        format!(r#"{{"t":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[0,{}]}}}}"#, data.len());
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A model of two dimensions: sleep and cats point along one, bark and dogs along the other.
fn small(folder: &Folder) {
    folder.write("m/tokenizer.json", TOKENIZER);
    let rows = [0.0, 0.0, 3.0, 0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 1.0];
    folder.write("m/model.safetensors", tensor("F32", &[5, 2], &floats(&rows)));
}

fn complaint(folder: &Folder) -> String {
    fail(&mut embed(&["vectors", "--model", text(&folder.join("m"))]), 3)
}

#[test]
fn a_vector_is_the_mean_of_the_rows_brought_to_length_one() {
    let folder = Folder::new();
    small(&folder);
    let output = common::feed(
        &mut embed(&["vectors", "--model", text(&folder.join("m"))]),
        b"cats dogs sleep\n\nbark\n",
    );
    assert_eq!(common::stdout(&output), "[0.8944272,0.4472136]\n[0.0,0.0]\n[0.0,1.0]\n");
    assert!(common::stderr(&output).contains("1 of 3 texts have no token"));
}

#[test]
fn numbers_of_16_bits_are_read() {
    let folder = Folder::new();
    small(&folder);
    // 0, 1 and 2 as F16 and as BF16.
    for (dtype, one, two) in [("F16", 0x3c00_u16, 0x4000_u16), ("BF16", 0x3f80, 0x4000)] {
        let rows = [0, 0, one, 0, 0, two, one, 0, 0, one];
        let data: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        folder.write("m/model.safetensors", tensor(dtype, &[5, 2], &data));
        let output =
            common::feed(&mut embed(&["vectors", "--model", text(&folder.join("m"))]), b"cats sleep bark\n");
        assert_eq!(common::stdout(&output), "[0.8944272,0.4472136]\n", "{}", common::stderr(&output));
    }
}

#[test]
fn parts_that_are_missing_or_do_not_fit_are_told() {
    let folder = Folder::new();
    let said = complaint(&folder);
    assert!(said.contains("model.safetensors is missing") && said.contains("get-model"), "{said}");
    small(&folder);
    let whole = fs::read(folder.join("m/model.safetensors")).expect("there");
    fs::remove_file(folder.join("m/tokenizer.json")).expect("there");
    assert!(complaint(&folder).contains("tokenizer.json is missing"));
    folder.write("m/tokenizer.json", "{");
    assert!(complaint(&folder).contains("is no tokenizer"));
    folder.write("m/tokenizer.json", TOKENIZER);

    for length in [0, 7, 8, 20, whole.len() - 1] {
        folder.write("m/model.safetensors", &whole[..length]);
        let said = complaint(&folder);
        assert!(said.contains("no whole safetensors file") && said.contains("again with get-model"), "{said}");
    }
    for (dtype, shape, bytes, expected) in [
        ("F32", vec![4, 2], 32, "the tokenizer in"),
        ("F32", vec![5 + 256, 2], 8 * (5 + 256), "they are of different models"),
        ("F32", vec![10], 40, "one matrix is expected"),
        ("I32", vec![5, 2], 40, "numbers of type I32"),
        ("F32", vec![5, 0], 0, "a matrix of 5 × 0"),
    ] {
        folder.write("m/model.safetensors", tensor(dtype, &shape, &vec![0; bytes]));
        let said = complaint(&folder);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn an_index_keeps_to_its_model() {
    let folder = Folder::new();
    small(&folder);
    folder.write("t/a.txt", "cats sleep\n");
    folder.write("t/b.txt", "dogs bark\n");
    let (t, m, index) = (folder.join("t"), folder.join("m"), folder.join("i"));
    succeed(&mut embed(&["index", text(&t), "--index", text(&index), "--model", text(&m)]));
    // It knows where its model is.
    assert_eq!(search(&index, "bark", &[])[0]["text"], "dogs bark\n");
    let said = succeed(&mut embed(&["index", text(&t), "--index", text(&index)]));
    assert!(said.contains("0 files embedded, 2 unchanged"), "{said}");

    // It may move.
    fs::rename(&m, folder.join("moved")).expect("writable");
    fail(&mut embed(&["search", "bark", "--index", text(&index)]), 3);
    assert_eq!(search(&index, "bark", &["--model", text(&folder.join("moved"))])[0]["text"], "dogs bark\n");

    // Another one is refused, by a search and by a change.
    small(&folder);
    let rows = [0.0, 0.0, 3.0, 0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 1.5];
    folder.write("m/model.safetensors", tensor("F32", &[5, 2], &floats(&rows)));
    for arguments in [["search", "bark"], ["index", text(&t)]] {
        let said = fail(embed(&arguments).args(["--index", text(&index), "--model", text(&m)]), 3);
        assert!(said.contains("is another"), "{said}");
    }
    succeed(&mut embed(&["index", text(&t), "--index", text(&folder.join("hashed"))]));
    let said = fail(
        embed(&["search", "bark", "--index", text(&folder.join("hashed"))]).args(["--model", text(&m)]),
        3,
    );
    assert!(said.contains("made by hashing"), "{said}");
}

/// Questions with known answers. `README.md` has the figures.
#[test]
fn questions_find_their_answers() {
    let Some(model) = model() else { return };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().and_then(Path::parent).expect("apps/embed is two below the root");
    #[derive(serde::Deserialize)]
    struct Question {
        question: String,
        answers: Vec<String>,
    }
    let questions = fs::read_to_string(here.join("tests/questions.json")).expect("committed");
    let questions: Vec<Question> = serde_json::from_str(&questions).expect("an array of questions");
    assert_eq!(questions.len(), 40);
    let folder = Folder::new();
    let index = folder.join("i");
    // Without this folder, which has the questions.
    let roots =
        ["src", "docs", "tests", "benches", "examples", "loom-tests", "shuttle-tests", "lab", "rayon-core"];
    let files = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let paths: Vec<&str> = roots.into_iter().chain(files).collect();
    let arguments = ["--index", text(&index), "--model", text(&model)];
    succeed(embed(&["index"]).args(&paths).args(arguments).current_dir(root));
    let mut found = 0;
    for Question { question, answers } in &questions {
        let hits = search(&index, question, &["--top", "5"]);
        found += u32::from(hits.iter().any(|hit| answers.iter().any(|answer| hit["path"] == **answer)));
    }
    println!("{found} of 40 questions found an answer among the first five");
    assert!(found >= RECALL, "{found}");
}

/// 22 were found when this was written, and 18 by hashing. The repository changes, so some fewer pass.
const RECALL: u32 = 16;

/// The model's file is mapped. A program that reads it behind its end would be killed without a word.
#[cfg(unix)]
#[test]
fn a_model_that_becomes_shorter_is_told() {
    use std::io::{BufRead, BufReader, Read, Write};

    let folder = Folder::new();
    small(&folder);
    let mut child = common::spawn(&mut embed(&["vectors", "--model", text(&folder.join("m"))]));
    let mut input = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    writeln!(input, "bark").expect("the program reads");
    assert_eq!(answers.next().expect("an answer").expect("UTF-8"), "[0.0,1.0]");
    fs::write(folder.join("m/model.safetensors"), "").expect("writable");
    writeln!(input, "bark").expect("the program reads");
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{said}");
    assert!(said.contains("became shorter while it was read"), "{said}");
}
