using System.Diagnostics;
using System.Text.Json;

namespace Uniscale.Cli.Tests.Commands;

public sealed class PlanCommandTests : IDisposable
{
    private static readonly string Big = Path.Combine(Repository.Root, "configs", "models", "internlm-104b.yaml");

    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-plan-").FullName;
    private readonly string _small;

    public PlanCommandTests()
    {
        _small = Path.Combine(_folder, "run.yaml");
        File.WriteAllText(
            _small,
            """
            model: { layers: 6, hidden: 64, heads: 4, vocabulary: 512, context: 64 }
            train: { steps: 1000, device: cuda, precision: bf16 }
            batch: { global: 16, micro: 1 }
            parallel: { pipeline: 2, data: 2, zero: { stage: 1 } }
            checkpoint: { every: 100 }
            """
        );
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_104B_run_on_2048_GPUs_is_planned_in_seconds()
    {
        var clock = Stopwatch.StartNew();
        string output = CommandRun.Ok("plan", Big);
        // A second on a quiet machine; the tests share theirs.
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"{clock.Elapsed}");
        Assert.Contains("2048 × A100 SXM 80 GB", output);
        Assert.Contains("4 kinds of rank", output);
        Assert.Contains("Unknown for this cluster: kernel workspace", output);
        Assert.Contains("1.605T tokens", output);
    }

    [Fact]
    public void Json_page_and_trace_are_written()
    {
        string page = Path.Combine(_folder, "plan.html"),
            trace = Path.Combine(_folder, "step.json");
        using var plan = JsonDocument.Parse(CommandRun.Ok("plan", _small, "--json", "--html", page, "--trace", trace));
        Assert.Equal(1000, plan.RootElement.GetProperty("run").GetProperty("steps").GetDouble());
        Assert.Equal(JsonValueKind.Null, plan.RootElement.GetProperty("run").GetProperty("money").ValueKind);
        Assert.Contains("<svg", File.ReadAllText(page));
        Assert.NotEmpty(JsonDocument.Parse(File.ReadAllText(trace)).RootElement.GetProperty("traceEvents").EnumerateArray());
    }

    [Fact]
    public void The_best_layout_is_written_and_accepted()
    {
        string best = Path.Combine(_folder, "best.yaml");
        string page = Path.Combine(_folder, "layouts.html");
        string output = CommandRun.Ok("plan", "search", _small, "--gpus", "4", "--top", "3", "--write", best, "--html", page);
        Assert.Contains("<svg", File.ReadAllText(page));
        Assert.Contains("The runner-up loses", output);
        Assert.Equal(0, CommandRun.Of("program", best).Code);
    }

    [Fact]
    public void The_same_seed_gives_the_same_report()
    {
        string[] arguments = ["plan", "simulate", _small, "--runs", "20", "--mtbf", "1h", "--repair", "2h", "--spares", "1"];
        string output = CommandRun.Ok(arguments);
        Assert.Equal(output, CommandRun.Ok(arguments));
        Assert.Contains("lost work", output);
        Assert.NotEqual(output, CommandRun.Ok([.. arguments, "--seed", "2"]));
    }

    [Theory]
    [InlineData("--spares", "-1", "not a number of machines")]
    [InlineData("--gpus", "0", "not a number of GPUs")]
    [InlineData("--mtbf", "0h", "no time above 0")]
    [InlineData("--mtbf", "25h..8h", "write the shorter time first")]
    [InlineData("--runs", "0", "not a number of runs")]
    [InlineData("--rates", "llama2", "did you mean 'llama3'?")]
    [InlineData("--cluster", "a100-80-rose", "did you mean 'a100-80-roce'?")]
    public void Mistakes_of_a_simulation_get_a_sentence(string option, string value, string sentence) =>
        Assert.Contains(sentence, CommandRun.Refused("plan", "simulate", _small, option, value));

    [Fact]
    public void More_GPUs_than_the_cluster_has_are_refused() =>
        Assert.Contains("cluster a100-80-mosaic has 128", CommandRun.Refused("plan", Big, "--cluster", "a100-80-mosaic"));

    [Fact]
    public void A_model_that_fits_nowhere_is_refused() =>
        Assert.Contains("No layout of 8 × A100", CommandRun.Refused("plan", "search", Big, "--gpus", "8"));

    [Fact]
    public void A_plan_for_CPUs_needs_a_calibration() =>
        Assert.Contains("uniscale plan calibrate", CommandRun.Refused("plan", _small, "--set", "train.device=cpu"));

    [Fact]
    public void A_folder_that_is_no_run_is_refused() => Assert.Contains("is no run", CommandRun.Refused("plan", "compare", _folder));

    /// <summary>From any working directory, as processes of their own.</summary>
    [Fact]
    public void A_calibrated_machine_prices_a_run()
    {
        Nightly.Only();
        string file = Path.Combine(Path.GetTempPath(), $"uniscale-machine-{Environment.ProcessId}.yaml");
        try
        {
            string said = CommandRun.Ok("plan", "calibrate", "--rounds", "1", "--steps", "2", "--out", file);
            Assert.Contains("recomputed: ", said, StringComparison.Ordinal);
            Assert.Contains("tokens/s", CommandRun.Ok("plan", _small, "--cluster", file), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
