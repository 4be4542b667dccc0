using System.Text.Json;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>Exams with a model whose next token is known.</summary>
public sealed class EvaluateCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _run;

    public EvaluateCommandTests()
    {
        _run = ConstantModel.Make(_folder);
        Directory.CreateDirectory(In("exams/mmlu/test"));
        File.WriteAllText(In("exams/mmlu/test/anatomy_test.csv"), "Which?,a,b,c,d,B\nWhat?,a,bb,c,d,B\nWho?,a,b,c,d,A\nWhere?,a,b,c,d,B\n");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AModelThatAlwaysSaysBIsRightWhereBIs()
    {
        string table = CommandRun.Ok("evaluate", _run, "--tasks", "mmlu", "--data", In("exams"));
        Assert.Contains(
            "75.00",
            Assert.Single(
                table.Split('\n'),
                line => line.StartsWith("mmlu ", StringComparison.Ordinal) && line.Contains(" acc ", StringComparison.Ordinal)
            ),
            StringComparison.Ordinal
        );
        // Found again, by other ranks too.
        using var document = JsonDocument.Parse(
            CommandRun.Ok("evaluate", _run, "--tasks", "mmlu", "--data", In("exams"), "--ranks", "2", "--json")
        );
        Assert.Equal(0.75, document.RootElement.GetProperty("results").GetProperty("mmlu").GetProperty("acc,none").GetDouble());
        Assert.Equal(2, Directory.GetFiles(Path.Combine(_run, "evaluation"), "results_*.json").Length);
        Assert.Equal(4, File.ReadLines(Directory.GetFiles(Path.Combine(_run, "evaluation"), "samples_mmlu_*.jsonl")[0]).Count());
        Assert.Equal(16, File.ReadLines(Path.Combine(_run, "evaluation", "answers.tsv")).Count());
    }

    /// <summary>Of a text without spaces a word is the whole, and its perplexity beyond every number.</summary>
    [Fact]
    public void PerplexityOfATextWithoutWordsIsTold()
    {
        File.WriteAllText(In("zh.txt"), string.Concat(Enumerable.Repeat("\u4E2D\u6587", 500)));
        string told = CommandRun.Ok("evaluate", _run, "--tasks", "perplexity", "--data", In("zh.txt"), "--out", In("zh"));
        Assert.Contains(" bits per byte, ", told, StringComparison.Ordinal);
        Assert.Contains(" n/a a word ", told, StringComparison.Ordinal);
        using var results = JsonDocument.Parse(File.ReadAllText(Assert.Single(Directory.GetFiles(In("zh"), "results_*.json"))));
        Assert.Equal(
            JsonValueKind.Null,
            results.RootElement.GetProperty("results").GetProperty("perplexity").GetProperty("word_perplexity,none").ValueKind
        );
    }

    [Fact]
    public void TextInAnotherEncodingIsRefused()
    {
        File.WriteAllBytes(In("gbk.txt"), [0xD6, 0xD0, 0xCE, 0xC4]);
        Assert.Contains(
            "is not UTF-8",
            CommandRun.Refused("evaluate", _run, "--tasks", "perplexity", "--data", In("gbk.txt"), "--out", In("gbk")),
            StringComparison.Ordinal
        );
        File.WriteAllBytes(In("gbk.jsonl"), [.. "{\"prompt\": \""u8, 0xD6, 0xD0, .. "\"}\n"u8]);
        Assert.Contains(
            "is not UTF-8 near line 1",
            CommandRun.Refused("generate", _run, "--prompts", In("gbk.jsonl")),
            StringComparison.Ordinal
        );
    }

    /// <summary>The exam has no dev folder, so no questions to show: a table that said 5 shots would name another method.</summary>
    [Fact]
    public void TheTableCountsShotsThatWereShown() =>
        Assert.Contains(
            " original     letter          0 acc ",
            CommandRun.Ok("evaluate", _run, "--tasks", "mmlu", "--data", In("exams"), "--out", In("shots")),
            StringComparison.Ordinal
        );

    [Fact]
    public void AJudgeIsAskedElsewhereOrHere()
    {
        File.WriteAllLines(In("a.jsonl"), ["{\"id\":\"1\",\"question\":\"Which?\",\"answer\":\"this\"}"]);
        File.WriteAllLines(In("b.jsonl"), ["{\"id\":\"1\",\"question\":\"Which?\",\"answer\":\"that\"}"]);
        CommandRun.Ok("evaluate", "judge", In("a.jsonl"), In("b.jsonl"), "--write-requests", In("requests.jsonl"));
        Assert.Equal(2, File.ReadLines(In("requests.jsonl")).Count());
        File.WriteAllLines(
            In("verdicts.jsonl"),
            ["{\"id\":\"1\",\"order\":\"ab\",\"verdict\":\"[[A]]\"}", "{\"id\":\"1\",\"order\":\"ba\",\"verdict\":\"[[B]]\"}"]
        );
        Assert.Contains(
            "A wins 1, B wins 0, ties 0",
            CommandRun.Ok("evaluate", "judge", In("a.jsonl"), In("b.jsonl"), "--verdicts", In("verdicts.jsonl")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "do not fit the judge's context of 64",
            CommandRun.Refused("evaluate", "judge", In("a.jsonl"), In("b.jsonl"), "--judge", _run),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Give one of --judge RUN, --verdicts FILE and --write-requests FILE",
            CommandRun.Refused("evaluate", "judge", In("a.jsonl"), In("b.jsonl")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void PassAtNeedsSamplesAndATemperature()
    {
        File.WriteAllText(In("exams/test.jsonl"), "{\"question\":\"?\",\"answer\":\"2\"}\n");
        string[] asked = ["evaluate", _run, "--tasks", "gsm8k", "--data", In("exams"), "--out", In("out"), "--answer-tokens", "2"];
        Assert.Contains(
            "pass@1",
            CommandRun.Ok([.. asked, "--samples", "3", "--temperature", "1", "--pass-at", "1,2"]),
            StringComparison.Ordinal
        );
        Assert.Contains("writes 3 texts at temperature 0", CommandRun.Refused([.. asked, "--samples", "3"]), StringComparison.Ordinal);
        Assert.Contains(
            "pass@4 of gsm8k needs 1 to 3 samples",
            CommandRun.Refused([.. asked, "--samples", "3", "--temperature", "1", "--pass-at", "4"]),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TextsWithNeedlesAreWritten()
    {
        string model = In("t.model");
        CommandRun.Ok("data", "needles", "--tokenizer", model, "--lengths", "150..200", "--count", "3", "--out", In("needles.jsonl"));
        var texts = File.ReadLines(In("needles.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!)
            .ToList();
        Assert.Equal(3, texts.Distinct().Count());
        // The key stands twice: where it is hidden, and at the end.
        Assert.All(texts, text => Assert.Equal(3, text.Split(text[^8..^1]).Length));
        Assert.Contains(
            "is the one that the needle test asks with",
            CommandRun.Refused("data", "needles", "--tokenizer", model, "--lengths", "99", "--seed", "1234", "--out", In("x.jsonl")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "are too short for a needle",
            CommandRun.Refused("data", "needles", "--tokenizer", model, "--lengths", "20..30", "--out", In("x.jsonl")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void PlainTextIsMeasured()
    {
        string said = CommandRun.Ok("evaluate", _run, "--tasks", "perplexity", "--data", In("raw/a.txt"), "--out", In("out"));
        Assert.Contains("bits per byte", said, StringComparison.Ordinal);
        Assert.Contains("windows of 64", said, StringComparison.Ordinal);
        Assert.Contains("loss by place: 0–8 ", said, StringComparison.Ordinal);
    }

    /// <summary>A context that is too short for the default sentences is told.</summary>
    [Fact]
    public void NeedlesNeedAContext() =>
        Assert.Contains(
            "but the model's context is 64: leave the task out",
            CommandRun.Refused("evaluate", _run, "--tasks", "needle", "--out", In("out")),
            StringComparison.Ordinal
        );

    /// <summary>The model writes " B" again and again.</summary>
    [Fact]
    public void ATaskOfOnesOwnIsHeld()
    {
        File.WriteAllText(In("q.csv"), "question,a,b,right\nWhich?,no,yes,B\nWhat?,yes,no,A\n");
        File.WriteAllText(
            In("written.yaml"),
            "name: written\ndata: q.csv\nprompt: \"{question} A {a} B {b} Answer:\"\noptions: [\"{a}\", \"{b}\"]\ntarget: right\nscoring: written-letter\ntokens: 3\n"
        );
        File.WriteAllText(In("ranked.yaml"), "extends: written.yaml\nname: ranked\nscoring: letter\n");
        string table = CommandRun.Ok(
            "evaluate",
            _run,
            "--task-file",
            In("written.yaml"),
            "--task-file",
            In("ranked.yaml"),
            "--out",
            In("out")
        );
        foreach (string name in (string[])["written", "ranked"])
            Assert.Equal(
                "50.00",
                Assert
                    .Single(
                        table.Split('\n'),
                        line => line.StartsWith($"{name} ", StringComparison.Ordinal) && line.Contains(" acc ", StringComparison.Ordinal)
                    )
                    .Split(' ', StringSplitOptions.RemoveEmptyEntries)[5]
            );
        Assert.Contains(
            "\"chosen\":\"B\"",
            File.ReadLines(Directory.GetFiles(In("out"), "samples_written_*.jsonl")[0]).First(),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Two tasks are called 'written'",
            CommandRun.Refused("evaluate", _run, "--task-file", In("written.yaml"), "--task-file", In("written.yaml")),
            StringComparison.Ordinal
        );
        Assert.Contains("unknown.yaml", CommandRun.Refused("evaluate", _run, "--task-file", In("unknown.yaml")), StringComparison.Ordinal);
    }

    /// <summary>A folder of Hugging Face gives the figures of the run that it was exported from.</summary>
    [Fact]
    public void AFolderOfHuggingFaceIsRead()
    {
        CommandRun.Ok("export", _run, "--to", In("model"));
        string[] arguments = ["--tasks", "mmlu", "--data", In("exams")];
        Assert.Equal(
            CommandRun.Ok(["evaluate", _run, .. arguments]).Split('\n')[1..3],
            CommandRun.Ok(["evaluate", In("model"), .. arguments, "--out", In("out")]).Split('\n')[1..3]
        );
        Assert.Contains(
            " B",
            CommandRun.Ok("generate", In("model"), "--prompt", "Answer:", "--tokens", "2", "--temperature", "0"),
            StringComparison.Ordinal
        );
        File.Delete(In("model/tokenizer.model"));
        Assert.Contains(
            "model/tokenizer.json",
            CommandRun.Refused(["evaluate", In("model"), .. arguments]),
            StringComparison.Ordinal
        );
        File.WriteAllText(In("model/config.json"), "{}");
        Assert.Contains(
            "config.json has no model_type",
            CommandRun.Refused(["evaluate", In("model"), .. arguments]),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ResultsAreHeldAgainstEachOther()
    {
        File.WriteAllText(
            In("a.json"),
            """{"results": {"mmlu": {"alias": "mmlu", "acc,none": 0.5, "acc_stderr,none": 0.03}, "x": {"acc,none": 0.1}}}"""
        );
        File.WriteAllText(In("b.json"), """{"results": {"mmlu": {"alias": "mmlu", "acc,none": 0.625, "acc_stderr,none": 0.04}}}""");
        string line = Assert.Single(
            CommandRun.Ok("evaluate", "compare", In("a.json"), In("b.json")).Split('\n'),
            line => line.StartsWith("mmlu", StringComparison.Ordinal)
        );
        Assert.Equal(["mmlu", "acc", "0.5000", "0.6250", "+0.1250", "0.0500"], line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        File.WriteAllText(In("c.json"), "{}");
        Assert.Contains(
            "is no results file",
            CommandRun.Refused("evaluate", "compare", In("a.json"), In("c.json")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "There is no results file",
            CommandRun.Refused("evaluate", "compare", In("a.json"), In("none.json")),
            StringComparison.Ordinal
        );
        Assert.Contains("needs two results files", CommandRun.Refused("evaluate", "compare", In("a.json")), StringComparison.Ordinal);
        File.WriteAllText(In("d.json"), """{"results": {"other": {"acc,none": 0.5}}}""");
        Assert.Contains(
            "nothing can be compared",
            CommandRun.Refused("evaluate", "compare", In("a.json"), In("d.json")),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("There is no task 'history'", "--tasks", "history")]
    [InlineData("--tasks names no task", "--tasks", ",")]
    [InlineData("--ranks is 0", "--tasks", "mmlu", "--ranks", "0")]
    [InlineData("has no split 'val'", "--tasks", "mmlu", "--split", "val")]
    [InlineData("--answer-tokens is -3", "--tasks", "mmlu", "--answer-tokens", "-3")]
    [InlineData("--limit is -3", "--tasks", "mmlu", "--limit", "-3")]
    public void MistakesAreToldInASentence(string sentence, params string[] arguments) =>
        Assert.Contains(sentence, CommandRun.Refused(["evaluate", _run, "--data", In("exams"), .. arguments]), StringComparison.Ordinal);

    private string In(string path) => _folder.In(path);
}
