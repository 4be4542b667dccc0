using System.Text.Json;
using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Model;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>Exams with a model whose next token is known.</summary>
public sealed class EvaluateCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _run;

    public EvaluateCommandTests()
    {
        Directory.CreateDirectory(In("raw"));
        File.WriteAllText(In("raw/a.txt"), string.Join('\n', Enumerable.Range(0, 400).Select(line => $"The answer is A or B or C or D, {line % 13} times. Answer: B")));
        CommandRun.Ok("data", "import", In("raw"), "--domain", "books", "--out", In("store"));
        CommandRun.Ok("tokenizer", "train", In("store"), "--vocabulary", "320", "--out", In("t.model"), "--threads", "1");
        _run = Run();
        Directory.CreateDirectory(In("exams/mmlu/test"));
        File.WriteAllText(In("exams/mmlu/test/anatomy_test.csv"), "Which?,a,b,c,d,B\nWhat?,a,bb,c,d,B\nWho?,a,b,c,d,A\nWhere?,a,b,c,d,B\n");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AModelThatAlwaysSaysBIsRightWhereBIs()
    {
        string table = CommandRun.Ok("evaluate", _run, "--tasks", "mmlu", "--data", In("exams"));
        Assert.Contains("75.00", Assert.Single(table.Split('\n'), line => line.StartsWith("mmlu ", StringComparison.Ordinal) && line.Contains(" acc ", StringComparison.Ordinal)), StringComparison.Ordinal);
        // Found again, by other ranks too.
        using var document = JsonDocument.Parse(CommandRun.Ok("evaluate", _run, "--tasks", "mmlu", "--data", In("exams"), "--ranks", "2", "--json"));
        Assert.Equal(0.75, document.RootElement.GetProperty("results").GetProperty("mmlu").GetProperty("acc,none").GetDouble());
        Assert.Equal(2, Directory.GetFiles(Path.Combine(_run, "evaluation"), "results_*.json").Length);
        Assert.Equal(4, File.ReadLines(Directory.GetFiles(Path.Combine(_run, "evaluation"), "samples_mmlu_*.jsonl")[0]).Count());
        Assert.Equal(16, File.ReadLines(Path.Combine(_run, "evaluation", "answers.tsv")).Count());
    }

    [Fact]
    public void PlainTextIsMeasured()
    {
        string said = CommandRun.Ok("evaluate", _run, "--tasks", "perplexity", "--data", In("raw/a.txt"), "--out", In("out"));
        Assert.Contains("bits per byte", said, StringComparison.Ordinal);
        Assert.Contains("windows of 64", said, StringComparison.Ordinal);
    }

    [Fact]
    public void ResultsAreHeldAgainstEachOther()
    {
        File.WriteAllText(In("a.json"), """{"results": {"mmlu": {"alias": "mmlu", "acc,none": 0.5, "acc_stderr,none": 0.03}, "x": {"acc,none": 0.1}}}""");
        File.WriteAllText(In("b.json"), """{"results": {"mmlu": {"alias": "mmlu", "acc,none": 0.625, "acc_stderr,none": 0.04}}}""");
        string line = Assert.Single(CommandRun.Ok("evaluate", "compare", In("a.json"), In("b.json")).Split('\n'), line => line.StartsWith("mmlu", StringComparison.Ordinal));
        Assert.Equal(["mmlu", "acc", "0.5000", "0.6250", "+0.1250", "0.0500"], line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        File.WriteAllText(In("c.json"), "{}");
        Assert.Contains("is no results file", CommandRun.Refused("evaluate", "compare", In("a.json"), In("c.json")), StringComparison.Ordinal);
        Assert.Contains("There is no results file", CommandRun.Refused("evaluate", "compare", In("a.json"), In("none.json")), StringComparison.Ordinal);
        Assert.Contains("needs two results files", CommandRun.Refused("evaluate", "compare", In("a.json")), StringComparison.Ordinal);
        File.WriteAllText(In("d.json"), """{"results": {"other": {"acc,none": 0.5}}}""");
        Assert.Contains("nothing can be compared", CommandRun.Refused("evaluate", "compare", In("a.json"), In("d.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("There is no task 'history'", "--tasks", "history")]
    [InlineData("--tasks names no task", "--tasks", ",")]
    [InlineData("--ranks is 0", "--tasks", "mmlu", "--ranks", "0")]
    [InlineData("has no split 'val'", "--tasks", "mmlu", "--split", "val")]
    [InlineData("--limit is -3", "--tasks", "mmlu", "--limit", "-3")]
    public void MistakesAreToldInASentence(string sentence, params string[] arguments) =>
        Assert.Contains(sentence, CommandRun.Refused(["evaluate", _run, "--data", In("exams"), .. arguments]), StringComparison.Ordinal);

    private string In(string path) => _folder.In(path);

    private string Run()
    {
        using var tokenizer = Tokenizer.Load(In("t.model"));
        int b = tokenizer.IdOf("\u2581B");
        Assert.NotEqual(tokenizer.UnknownId, b);
        var configuration = ConfigurationLoader.Parse("", ["train.steps=1", "model.layers=1", "model.hidden=8", "model.heads=2", "model.ffn=16", "model.context=64",
            $"model.vocabulary={tokenizer.Size}", ConfigurationLoader.Override("data.tokenizer", In("t.model"))]);
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(In("run/checkpoints"), world);
        var pins = new List<System.Runtime.InteropServices.GCHandle>();
        StateSlice Slice(ParameterSpec parameter)
        {
            float[] values = [.. Enumerable.Range(0, (int)parameter.Shape.Aggregate(1L, (x, y) => x * y)).Select(i => parameter.Name switch
            {
                "embedding.tokens.weight" or "head.norm.weight" => 1f,
                "head.output.weight" => i / 8 == b ? 1f : 0f,
                _ => 0f,
            })];
            pins.Add(System.Runtime.InteropServices.GCHandle.Alloc(values, System.Runtime.InteropServices.GCHandleType.Pinned));
            return new StateSlice(parameter.Name, ElementType.Float32, parameter.Shape, new long[parameter.Shape.Length], parameter.Shape, pins[^1].AddrOfPinnedObject());
        }
        var slices = Transformer.Blocks(configuration.Value.Model, tokenizer.Size).SelectMany(block => block.Parameters).Select(Slice).ToArray();
        store.Save(new CheckpointState { Step = 1, ConsumedTokens = 1, ConfigurationYaml = configuration.ToYaml(), Slices = slices });
        pins.ForEach(pin => pin.Free());
        return In("run");
    }
}
