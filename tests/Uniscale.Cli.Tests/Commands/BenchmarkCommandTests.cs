using System.Text.Json;

namespace Uniscale.Cli.Tests.Commands;

public sealed class BenchmarkCommandTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("uniscale-benchmark-").FullName;

    private string Config => Path.Combine(_root, "config.yaml");

    public BenchmarkCommandTests() =>
        File.WriteAllText(
            Config,
            "name: small\nmodel: { layers: 2, hidden: 32, heads: 2, context: 16, vocabulary: 64 }\nbatch: { global: 4 }\ntrain: { steps: 1, threads: 1 }\n"
        );

    // 8/3 of the width, rounded up to a multiple of 64.
    private const int Ffn = 128;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Steps_are_timed_with_their_parts_and_the_peak()
    {
        var (code, output, error) = CommandRun.Of("benchmark", "step", Config, "--steps", "3", "--ranks", "2", "--json");
        Assert.True(code == 0, error);
        var result = JsonDocument.Parse(output).RootElement;
        Assert.Equal(3, result.GetProperty("seconds").GetArrayLength());
        Assert.Equal(
            (2, 1, 64),
            (
                result.GetProperty("ranks").GetInt32(),
                result.GetProperty("threads").GetInt32(),
                result.GetProperty("batch_tokens").GetInt32()
            )
        );
        double median = result.GetProperty("median_seconds").GetDouble();
        Assert.Equal(64 / median, result.GetProperty("tokens_per_second").GetDouble(), 1e-6 / median);
        Assert.True(result.GetProperty("managed_bytes").GetDouble() > 0);
        Assert.True(result.GetProperty("peak_resident_bytes").GetInt64() > 1 << 20);
        var profile = result.GetProperty("profile");
        double parts = profile.GetProperty("parts").EnumerateArray().Sum(part => part.GetProperty("seconds").GetDouble());
        Assert.Equal(profile.GetProperty("step_seconds").GetDouble(), parts, 1e-6);
        Assert.Contains(profile.GetProperty("kernels").EnumerateArray(), kernel => kernel.GetProperty("name").GetString() == "AdamW");
    }

    [Theory]
    [InlineData("peak", "linear, weight gradient", "kernels", "--only", "linear, weight", "--rounds", "1", "--threads", "1")]
    [InlineData("copy", "gelu, backward", "kernels", "--only", "gelu, backward", "--rounds", "1", "--precision", "fp32")]
    [InlineData("copy", "all-reduce", "collectives", "--rounds", "1")]
    [InlineData("copy", "read samples", "data", "--rounds", "1")]
    [InlineData("write", "load, digests proved", "checkpoint", "--rounds", "1", "--mebibytes", "4")]
    public void Parts_are_measured_beside_their_yardstick(string yardstick, string name, params string[] arguments)
    {
        var (code, output, error) = CommandRun.Of(["benchmark", .. arguments, "--json"]);
        Assert.True(code == 0, error);
        var measurements = JsonDocument.Parse(output).RootElement.GetProperty("measurements").EnumerateArray().ToList();
        var first = measurements.First(measured => measured.GetProperty("name").GetString() == name);
        Assert.Equal(yardstick, first.GetProperty("yardstick").GetString());
        Assert.All(measurements, measured => Assert.True(measured.GetProperty("rate").GetDouble() > 0));
        Assert.Equal(
            first.GetProperty("rate").GetDouble() / first.GetProperty("yardstick_rate").GetDouble(),
            first.GetProperty("share").GetDouble(),
            1e-9
        );
    }

    [Fact]
    public void Parts_are_told_in_lines()
    {
        var (code, output, error) = CommandRun.Of("benchmark", "checkpoint", "--rounds", "1", "--mebibytes", "4");
        Assert.True(code == 0, error);
        Assert.Contains("load, digests proved", output);
    }

    [Fact]
    public void A_folder_that_is_not_there_is_named()
    {
        var (code, _, error) = CommandRun.Of("benchmark", "checkpoint", Path.Combine(_root, "nowhere"), "--rounds", "1");
        Assert.Equal((2, true), (code, error.Contains("nowhere", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_layout_is_measured_on_ranks_that_are_not_here()
    {
        var (code, output, error) = CommandRun.Of(
            "benchmark",
            "checkpoint",
            "--layout",
            Config,
            "--set",
            "parallel.zero.stage=1",
            "--set",
            "parallel.tensor=2",
            "--ranks",
            "64",
            "--json"
        );
        Assert.True(code == 0, error);
        var report = JsonDocument.Parse(output).RootElement;
        // Two layers of width 32, embedding and head of 64 entries; parameters and two moments in fp32.
        Assert.Equal(("dp32 tp2 zero1", 64), (report.GetProperty("layout").GetString(), report.GetProperty("ranks").GetInt32()));
        Assert.Equal(3 * 4 * (2 * (4 * 32 * 32 + 3 * 32 * Ffn + 2 * 32) + 2 * 64 * 32 + 32), report.GetProperty("state_bytes").GetInt64());
        Assert.InRange(report.GetProperty("slice_count").GetInt64(), 64 * 3, 64 * 3 * 21 * 3);
        Assert.True(report.GetProperty("manifest_bytes").GetInt64() > 1000);
    }

    [Theory]
    [InlineData("--ranks 3 is not a multiple of the 2 ranks of a replica", "--ranks", "3", "--set", "parallel.tensor=2", "--layout")]
    [InlineData("give --layout CONFIG.yaml too", "--ranks", "4")]
    public void A_number_of_ranks_fits_the_layout(string expected, params string[] arguments)
    {
        if (arguments[^1] == "--layout")
            arguments = [.. arguments, Config];
        var (code, _, error) = CommandRun.Of(["benchmark", "checkpoint", .. arguments]);
        Assert.Equal((2, true), (code, error.Contains(expected, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("--steps 0 is not a number of steps", "--steps", "0")]
    [InlineData("--ranks 0 is not a number of ranks", "--ranks", "0")]
    [InlineData("names no sources", "--data")]
    [InlineData("The size of the vocabulary is not known", "--set", "model.vocabulary=0")]
    public void A_mistake_is_one_sentence_and_exit_code_2(string expected, params string[] arguments)
    {
        var (code, _, error) = CommandRun.Of(["benchmark", "step", Config, .. arguments]);
        Assert.Equal((2, true), (code, error.Contains(expected, StringComparison.Ordinal)));
    }
}
