using System.Text.Json;

namespace Uniscale.Cli.Tests.Commands;

public sealed class ConfigCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-cli-").FullName;
    private readonly string _file;

    public ConfigCommandTests()
    {
        _file = Path.Combine(_folder, "run.yaml");
        File.WriteAllText(_file, "model: { preset: llama, layers: 2 }\ntrain: { steps: 3 }\n");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void It_prints_every_value_with_its_origin()
    {
        var (code, output, _) = CommandRun.Of(
            "config",
            _file,
            "--set",
            "optimizer.lr=1e-3",
            "--set",
            "model.hidden=64",
            "--set",
            "model.heads=4"
        );
        Assert.Equal(0, code);
        string[] lines = output.Split('\n');
        Assert.Contains($"  layers: 2                                     # {_file}:1", lines);
        Assert.Contains("  lr: 0.001                                     # --set", lines);
        Assert.Contains("  ffn: 11008                                    # preset llama", lines);
        Assert.Contains("  beta1: 0.9                                    # default", lines);
    }

    [Fact]
    public void Json_has_the_same_values()
    {
        var root = JsonDocument.Parse(CommandRun.Of("config", _file, "--json").Output).RootElement;
        Assert.Equal(2, root.GetProperty("model").GetProperty("layers").GetInt32());
        Assert.Equal("rmsnorm", root.GetProperty("model").GetProperty("norm").GetString());
        Assert.Equal(
            ["pp", "dp", "cp", "tp"],
            root.GetProperty("parallel").GetProperty("order").EnumerateArray().Select(axis => axis.GetString()!)
        );
    }

    [Fact]
    public void An_override_that_breaks_a_rule_is_refused()
    {
        var (code, _, error) = CommandRun.Of("config", _file, "--set", "parallel.tensor=3");
        Assert.Equal(2, code);
        Assert.Equal(
            "uniscale: --set parallel.tensor=3: parallel.tensor is 3, which does not divide model.heads (32): set parallel.tensor to 2 or 4.\n",
            error
        );
    }

    [Fact]
    public void A_world_that_does_not_divide_the_batch_is_refused()
    {
        Assert.Equal(0, CommandRun.Of("config", _file, "--ranks", "4").Code);
        var (code, _, error) = CommandRun.Of("config", _file, "--ranks", "3");
        Assert.Equal(2, code);
        Assert.Equal(
            "uniscale: batch.global is 16, which is no multiple of the 3 replicas: set batch.global to 18 or 15, or change the layout.\n",
            error
        );
    }

    [Fact]
    public void A_schedule_that_does_not_exist_is_refused_with_those_that_do()
    {
        var (code, _, error) = CommandRun.Of("config", _file, "--set", "parallel.schedule=1f2b");
        Assert.Equal(2, code);
        Assert.StartsWith("uniscale: --set parallel.schedule=1f2b: there is no schedule '1f2b': choose one of 1f1b, gpipe", error);
    }
}
