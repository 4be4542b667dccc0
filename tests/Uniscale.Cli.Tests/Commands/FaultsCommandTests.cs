using System.Text.Json;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>A short form of the fault matrix: one cell of each family, each in another layout.</summary>
public sealed class FaultsCommandTests : IDisposable
{
    private static readonly string Matrix = Repository.PathOf("configs/tests/faults.yaml");

    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-faults-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("kill, file half written", "DP 2", "identical")]
    [InlineData("hang at a step", "1 rank", "identical")]
    [InlineData("byte of a checkpoint flipped", "TP 2", "identical")]
    [InlineData("full disk", "ZeRO-3 2", "identical")]
    [InlineData("data changed under the run", "1 rank", "promised")]
    [InlineData("ranks disagree", "1 rank", "impossible")]
    public void The_cell_is_as_promised(string name, string layout, string outcome)
    {
        var (code, output, error) = CommandRun.Of("faults", Matrix, "--only", name, "--layout", layout, "--directory", _folder, "--json");
        Assert.True(code == 0, output + error);
        using var cells = JsonDocument.Parse(output);
        Assert.Equal(outcome, Assert.Single(cells.RootElement.EnumerateArray()).GetProperty("outcome").GetString());
    }

    [Theory]
    [InlineData("memory runs out in a backward", "TP 2", "identical")]
    public void The_cell_is_as_promised_by_night(string name, string layout, string outcome)
    {
        Nightly.Only();
        The_cell_is_as_promised(name, layout, outcome);
    }

    /// <summary>Runs that draw their answers, and rounds; by day a kill of the process that leads them.</summary>
    [Fact]
    public void Rounds_that_are_killed_inside_labelling_go_on() => CellOfAlignment("kill inside labelling", "COOL, DP 2");

    [Theory]
    [InlineData("kill while answers are drawn", "PPO, DP 2")]
    [InlineData("kill inside an update", "PPO, ZeRO-3 2")]
    [InlineData("hang while answers are drawn", "PPO, DP 2")]
    [InlineData("kill, manifest written", "PPO, DP 2")]
    [InlineData("full disk", "PPO, ZeRO-3 2")]
    [InlineData("kill of a round's policy", "COOL, DP 2")]
    [InlineData("kill while comparisons merge", "COOL, DP 2")]
    [InlineData("full disk inside labelling", "COOL, DP 2")]
    public void Runs_and_rounds_that_learn_from_answers_go_on_by_night(string name, string layout)
    {
        Nightly.Only();
        CellOfAlignment(name, layout);
    }

    [Fact]
    public void What_cannot_be_prepared_is_one_sentence()
    {
        string file = Path.Combine(_folder, "unprepared.yaml");
        File.WriteAllText(
            file,
            $$"""
            run: {{Repository.PathOf("configs/base/faults.yaml")}}
            prepare: ["data tokenize {here}/nowhere --tokenizer none --out tokens"]
            layouts: [{ name: one, ranks: 1 }]
            cases: [{ name: slow, inject: [{ kind: slow-rank }] }]
            """
        );
        var (code, _, error) = CommandRun.Of("faults", file, "--directory", Path.Combine(_folder, "matrix"));
        Assert.Equal(2, code);
        Assert.Contains($"cannot be prepared: `uniscale data tokenize {_folder}/nowhere", error);
    }

    private void CellOfAlignment(string name, string layout)
    {
        string matrix = Repository.PathOf("configs/tests/faults-align.yaml");
        var (code, output, error) = CommandRun.Of("faults", matrix, "--only", name, "--layout", layout, "--directory", _folder, "--json");
        Assert.True(code == 0, output + error);
        using var cells = JsonDocument.Parse(output);
        Assert.Equal("identical", Assert.Single(cells.RootElement.EnumerateArray()).GetProperty("outcome").GetString());
    }

    [Fact]
    public void A_cell_that_breaks_its_promise_fails_and_only_good_ones_are_kept()
    {
        string file = Path.Combine(_folder, "matrix.yaml");
        File.WriteAllText(
            file,
            $$"""
            run: {{Repository.PathOf("configs/base/faults.yaml")}}
            layouts: [{ name: one, ranks: 1 }]
            cases:
              - { name: slow, by: threads, inject: [{ kind: slow-rank, step: 2, seconds: 0.1 }] }
              - { name: skipped, by: threads, inject: [{ kind: nan-gradient, step: 5 }] }
              - { name: never, by: threads, inject: [{ kind: exception, step: 99 }] }
            """
        );
        string[] arguments = ["faults", file, "--directory", Path.Combine(_folder, "matrix")];
        var (code, output, _) = CommandRun.Of(arguments);
        Assert.Equal(1, code);
        Assert.Matches(
            @"skipped +one +FAILED +\d+ tensors differ from the unbroken run's, the first is \S+; at step \d+ the loss was",
            output
        );
        Assert.Matches(@"never +one +FAILED +1 of 1 faults did not happen", output);
        Assert.Contains("2 of 3 cells are not as promised", output);
        File.AppendAllText(file, "  - { name: more, by: threads, inject: [{ kind: slow-rank, step: 2, seconds: 0.1 }] }");
        string[] lines = File.ReadAllLines(Path.Combine(_folder, "matrix", "results.jsonl"));
        CommandRun.Of([.. arguments, "--resume", "--only", "slow"]);
        Assert.Equal(lines, File.ReadAllLines(Path.Combine(_folder, "matrix", "results.jsonl")));
    }

    [Fact]
    public void Kills_from_outside_cost_no_bit()
    {
        int kills = Nightly.Is ? 5 : 1;
        var (code, output, error) = CommandRun.Of("faults", Matrix, "--kills", $"{kills}", "--layout", "PP 2", "--directory", _folder, "--json");
        Assert.True(code == 0, output + error);
        using var result = JsonDocument.Parse(output);
        Assert.Equal(kills, result.RootElement.GetProperty("kills").GetInt32());
        Assert.True(result.RootElement.GetProperty("verified").GetInt32() > 0);
    }

    [Theory]
    [InlineData("--only", "kil at a step", "did you mean 'kill at a step'?")]
    [InlineData("--layout", "DP 3", "--layout DP 3 is no layout of the matrix; did you mean 'DP 2'?")]
    public void A_misspelt_name_is_the_users_error(string option, string name, string sentence)
    {
        var (code, _, error) = CommandRun.Of("faults", Matrix, option, name);
        Assert.Equal(2, code);
        Assert.Contains(sentence, error);
    }
}
