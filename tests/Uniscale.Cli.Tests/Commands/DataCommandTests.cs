using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>The way of a user, from raw files to a planned curriculum, on a text small enough for a test.</summary>
public sealed class DataCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public DataCommandTests()
    {
        Directory.CreateDirectory(In("raw"));
        for (int i = 0; i < 60; i++)
            File.WriteAllText(
                In($"raw/{i}.txt"),
                string.Join(
                    '\n',
                    Enumerable.Range(0, 40).Select(line => $"The {i * line % 7} models of text {line} learn {(i + line) % 13} words.")
                )
            );
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Two that write the same would rename under each other: one said that it was done, and no shard was left.</summary>
    [Fact]
    public void What_another_process_makes_is_not_made_beside_it()
    {
        Ok("data", "import", In("raw"), "--domain", "books", "--out", In("store"));
        string[] train = ["tokenizer", "train", In("store"), "--vocabulary", "300", "--out", In("t.model"), "--threads", "1"];
        string[] tokenize = ["data", "tokenize", In("store"), "--tokenizer", In("t.model"), "--out", In("tokens"), "--workers", "1"];
        using (Corpus.WorkLock.Of(In("t.model")))
            Assert.Contains("t.model is under way in another process: wait for its end, or name another --out.", Refused(train));
        Ok(train);
        using (Corpus.WorkLock.Of(In("tokens/books")))
        {
            var (code, _, error) = Of(tokenize);
            Assert.Equal(2, code);
            Assert.Contains("tokens/books is under way in another process", error);
        }
        Ok(tokenize);
        Assert.Equal(
            ["books.tokenized.json", "books.train.bin", "books.train.idx"],
            Directory.GetFiles(In("tokens")).Select(Path.GetFileName).Order()
        );
    }

    [Fact]
    public void From_raw_files_to_shards_to_a_plan()
    {
        Assert.Contains("books: 60 documents", Ok("data", "import", In("raw"), "--domain", "books", "--out", In("store")));
        Assert.Contains(
            "300 tokens",
            Ok("tokenizer", "train", In("store"), "--vocabulary", "300", "--out", In("t.model"), "--threads", "1")
        );
        Assert.Contains("300 tokens, stored in 16 bits", Ok("tokenizer", "inspect", In("t.model")));
        string tokens = Ok("tokenizer", "encode", In("t.model"), "The models learn.").Trim();
        Assert.Equal("The models learn.\n", Ok(["tokenizer", "decode", In("t.model"), .. tokens.Split(' ')]));

        Assert.Contains(
            "books",
            Ok(
                "data",
                "tokenize",
                In("store"),
                "--tokenizer",
                In("t.model"),
                "--out",
                In("tokens"),
                "--validation",
                "0.1",
                "--workers",
                "2"
            )
        );
        var written = File.GetLastWriteTimeUtc(In("tokens/books.train.bin"));
        Assert.Contains(
            "done before",
            Ok(
                "data",
                "tokenize",
                In("store"),
                "--tokenizer",
                In("t.model"),
                "--out",
                In("tokens"),
                "--validation",
                "0.1",
                "--workers",
                "2"
            )
        );
        Assert.Equal(written, File.GetLastWriteTimeUtc(In("tokens/books.train.bin")));
        Assert.Contains("tokens (UInt16)", Ok("data", "inspect", In("tokens/*")));
        Assert.Contains("books.train: whole", Ok("data", "verify", In("tokens/books.train"), "--tokenizer", In("t.model")));
        Assert.Contains(
            "models of text 0 learn",
            Ok("data", "show", In("tokens/books.train"), "--tokenizer", In("t.model"), "--document", "3")
        );

        File.WriteAllText(In("chat.jsonl"), "{\"prompt\": \"The models\", \"completion\": \"learn\"}\n{\"prompt\": \"x\"}\n");
        string chat = Ok(
            "data",
            "chat",
            In("chat.jsonl"),
            "--format",
            "prompt",
            "--template",
            "plain",
            "--tokenizer",
            In("t.model"),
            "--context",
            "32",
            "--out",
            In("chat"),
            "--show"
        );
        Assert.Contains("user: The models\nassistant: ⟦learn</s>⟧", chat);
        Assert.Contains("left out: 1 with no completion", chat);
        Assert.Contains("samples in packs of 32", Ok("data", "inspect", In("chat")));
        Assert.Contains("as it was tokenized", Ok("data", "verify", In("chat/chat.train")));
        Assert.Contains("⟦learn</s>⟧", Ok("data", "show", In("chat/chat.train"), "--tokenizer", In("t.model"), "--document", "0"));

        File.WriteAllText(
            In("run.yaml"),
            $"""
            name: small
            model: {'{'} layers: 1, hidden: 16, heads: 2, context: 32, vocabulary: 300 {'}'}
            data: {'{'} tokenizer: {In("t.model")}, sources: [{'{'} name: books, domain: books, shards: ["{In(
                "tokens/books.train"
            )}"] {'}'}] {'}'}
            batch: {'{'} global: 4 {'}'}
            train: {'{'} tokens: 4096 {'}'}
            """
        );
        string plan = Ok("curriculum", "plan", In("run.yaml"));
        Assert.Contains("small: 4096 tokens in 32 steps and 128 sequences", plan);
        string show = Ok("curriculum", "show", In("run.yaml"), "--at", "2000", "--text");
        Assert.Contains("step 15 of 32, after 1,920 tokens", show);
        Assert.Contains("learn", show);
    }

    [Theory]
    [InlineData("data tokenize nowhere.txt --tokenizer x.model --out y", "x.model does not exist")]
    [InlineData("data inspect nowhere", "nowhere.bin does not exist")]
    [InlineData("data verify nowhere*", "No shard matches 'nowhere*'")]
    [InlineData("data import nowhere --domain a --out /tmp/uniscale-none", "nowhere does not exist")]
    [InlineData(
        "data chat nowhere.jsonl --format prompts --tokenizer x.model --context 64 --out y",
        "--format prompts is unknown; did you mean 'prompt'?"
    )]
    [InlineData("data chat nowhere.jsonl --format prompt --tokenizer x.model --context 64", "--out is missing")]
    [InlineData("data chat nowhere.jsonl --format prompt --tokenizer x.model --context 4 --out y", "--context 4 has no room for a chat")]
    [InlineData("align score nowhere --data x.jsonl", "There is no folder nowhere")]
    [InlineData("tokenizer inspect nowhere.model", "nowhere.model does not exist")]
    public void A_mistake_is_one_sentence_and_exit_code_2(string line, string expected)
    {
        Assert.Contains(expected, Refused(line.Split(' ')));
    }

    private string In(string path) => _folder.In(path);
}
