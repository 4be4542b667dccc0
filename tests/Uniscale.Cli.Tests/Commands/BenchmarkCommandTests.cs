using System.Text.Json;

namespace Uniscale.Cli.Tests.Commands;

public sealed class BenchmarkCommandTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("uniscale-benchmark-").FullName;

    private string Config => Path.Combine(_root, "config.yaml");

    public BenchmarkCommandTests() => File.WriteAllText(
        Config, "name: small\nmodel: { layers: 2, hidden: 32, heads: 2, context: 16, vocabulary: 64 }\nbatch: { global: 4 }\ntrain: { steps: 1, threads: 1 }\n");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Steps_are_timed_with_their_parts_and_the_peak()
    {
        var (code, output, error) = CommandRun.Of("benchmark", "step", Config, "--steps", "3", "--ranks", "2", "--json");
        Assert.True(code == 0, error);
        var result = JsonDocument.Parse(output).RootElement;
        Assert.Equal(3, result.GetProperty("seconds").GetArrayLength());
        Assert.Equal((2, 1, 64), (result.GetProperty("ranks").GetInt32(), result.GetProperty("threads").GetInt32(), result.GetProperty("batch_tokens").GetInt32()));
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
    [InlineData("copy", "all-reduce", "collectives", "--rounds", "2")]
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
            first.GetProperty("rate").GetDouble() / first.GetProperty("yardstick_rate").GetDouble(), first.GetProperty("share").GetDouble(), 1e-9);

        (code, output, error) = CommandRun.Of(["benchmark", .. arguments]);
        Assert.True(code == 0, error);
        Assert.Contains(name, output);
    }

    [Fact]
    public void A_folder_that_is_not_there_is_named()
    {
        var (code, _, error) = CommandRun.Of("benchmark", "checkpoint", Path.Combine(_root, "nowhere"), "--rounds", "1");
        Assert.Equal((2, true), (code, error.Contains("nowhere", StringComparison.Ordinal)));
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
