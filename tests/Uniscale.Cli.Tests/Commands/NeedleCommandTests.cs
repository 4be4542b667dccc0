namespace Uniscale.Cli.Tests.Commands;

/// <summary>The command over a model that always writes the same token (<see cref="EvaluateCommandTests"/> has it too).</summary>
public sealed class NeedleCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _run;

    public NeedleCommandTests() => _run = ConstantModel.Make(_folder);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheTableTheCsvAndTheHeatMapAreWritten()
    {
        string[] arguments =
        [
            "needle",
            _run,
            "--lengths",
            "60..64",
            "--depths",
            "3",
            "--tokens",
            "4",
            "--needle",
            "A{key}",
            "--question",
            "A",
            "--out",
            In("out"),
            "--plot",
            In("maps/heat.png"),
        ];
        string said = CommandRun.Ok(arguments);
        Assert.Contains("0.0% of 6 needles were found", said, StringComparison.Ordinal);
        Assert.Equal(
            ["60", "64"],
            said.Split('\n').Skip(1).Take(2).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0])
        );
        Assert.Equal(7, File.ReadLines(Directory.GetFiles(In("out"), "needle_*.csv")[0]).Count());
        Assert.True(new FileInfo(In("maps/heat.png")).Length > 2000);
        Assert.Equal(6, File.ReadLines(In("out/answers.tsv")).Count());
        // Found again, by other ranks too.
        Assert.Equal(said.Split('\n')[..4], CommandRun.Ok([.. arguments, "--ranks", "2"]).Split('\n')[..4]);
        Assert.Equal(6, File.ReadLines(In("out/answers.tsv")).Count());
    }

    [Fact]
    public void TextComesFromFilesAndShards()
    {
        string[] arguments = ["needle", _run, "--lengths", "64", "--depths", "1", "--tokens", "4", "--needle", "A{key}", "--question", "A"];
        Assert.Contains("0.0% of 1 needles", CommandRun.Ok([.. arguments, "--data", In("raw/a.txt")]), StringComparison.Ordinal);
        CommandRun.Ok("data", "tokenize", In("store"), "--tokenizer", In("t.model"), "--out", In("shards"));
        Assert.Contains("0.0% of 1 needles", CommandRun.Ok([.. arguments, "--shards", In("shards")]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("the model was trained for 64", "--lengths", "128")]
    [InlineData("--lengths 0 is no length", "--lengths", "0")]
    [InlineData("is too short", "--lengths", "10")]
    [InlineData("--ranks is 0", "--lengths", "60", "--ranks", "0")]
    [InlineData("There is no text nowhere", "--lengths", "60", "--data", "nowhere")]
    [InlineData("give one of them", "--lengths", "60", "--data", "x", "--shards", "y")]
    [InlineData("There is no shard", "--lengths", "60", "--shards", "nowhere.chat.json")]
    [InlineData("says no format", "--lengths", "60", "--plot", "map.jpeg")]
    [InlineData("give one of none, linear", "--lengths", "60", "--rope-scaling", "wide")]
    [InlineData("has no place for the key", "--lengths", "60", "--needle", "nothing")]
    public void MistakesAreToldInASentence(string sentence, params string[] arguments) =>
        Assert.Contains(sentence, CommandRun.Refused(["needle", _run, "--tokens", "4", .. arguments]), StringComparison.Ordinal);

    private string In(string path) => _folder.In(path);
}
