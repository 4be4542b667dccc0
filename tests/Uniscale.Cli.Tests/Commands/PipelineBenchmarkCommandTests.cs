using System.Text.Json;

namespace Uniscale.Cli.Tests.Commands;

public sealed class PipelineBenchmarkCommandTests
{
    private static readonly string Config = Path.Combine(Repository.Root, "configs", "benchmarks", "benchmark-pipeline-paced.yaml");

    [Fact]
    public void Every_schedule_is_measured_beside_its_formula()
    {
        var (code, output, error) = CommandRun.Of("benchmark", "pipeline", Config, "--pass", "16", "--steps", "1", "--json");
        Assert.Equal((0, ""), (code, error));
        var rows = JsonDocument.Parse(output).RootElement.EnumerateArray().ToDictionary(row => row.GetProperty("schedule").GetString()!);
        Assert.Equal(["1f1b", "gpipe", "interleaved-1f1b", "zero-bubble"], rows.Keys.Order());
        Assert.All(
            rows.Values,
            row => Assert.Equal(row.GetProperty("formula").GetDouble(), row.GetProperty("predicted").GetDouble(), 1e-6)
        );
        // A loaded machine adds idle time, but passes never take less than they are set to.
        Assert.All(
            rows.Values,
            row => Assert.InRange(row.GetProperty("measured").GetDouble(), row.GetProperty("formula").GetDouble() - 0.03, 0.9)
        );
        Assert.All(
            rows.Values,
            row => Assert.True(row.GetProperty("median_seconds").GetDouble() > 0.95 * row.GetProperty("predicted_seconds").GetDouble())
        );
    }

    [Theory]
    [InlineData("parallel.pipeline is 1, and one stage has no bubble: set it to 2 or more.", "--set", "parallel.pipeline=1")]
    [InlineData("--pass 0 is no time: give 1 millisecond or more.", "--pass", "0")]
    public void What_cannot_be_measured_is_refused(string expected, params string[] arguments)
    {
        var (code, _, error) = CommandRun.Of(["benchmark", "pipeline", Config, .. arguments]);
        Assert.Equal((2, $"uniscale: {expected}\n"), (code, error));
    }
}
