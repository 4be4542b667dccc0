using System.Runtime.InteropServices;
using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;

namespace Uniscale.Cli.Tests.Commands;

public sealed class CheckpointCommandTests : IDisposable
{
    private readonly string _run = Directory.CreateTempSubdirectory("uniscale-checkpoint-command-").FullName;

    public CheckpointCommandTests()
    {
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(Path.Combine(_run, "checkpoints"), world, new CheckpointOptions { Keep = 0 });
        float[] weights = [1, 2, 3, 4];
        var pin = GCHandle.Alloc(weights, GCHandleType.Pinned);
        try
        {
            for (int step = 10; step <= 30; step += 10)
            {
                weights[0] = step;
                store.Save(
                    new CheckpointState
                    {
                        Step = step,
                        ConsumedTokens = step * 1000,
                        ConfigurationHash = "c0ffee",
                        Slices =
                        [
                            new StateSlice("head.output.weight", ElementType.Float32, [2, 2], [0, 0], [2, 2], pin.AddrOfPinnedObject()),
                        ],
                    }
                );
            }
        }
        finally
        {
            pin.Free();
        }
    }

    public void Dispose() => Directory.Delete(_run, recursive: true);

    private string Step(int step) => Path.Combine(_run, "checkpoints", $"step-{step:00000000}");

    [Fact]
    public void ListAndInspectShowPositionAndTensors()
    {
        var (code, output, _) = CommandRun.Of("checkpoint", "list", _run);
        Assert.Equal(0, code);
        Assert.Equal(
            ["step", "30", "20", "10"],
            output
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0])
        );
        Assert.Contains("30,000", output);
        (code, output, _) = CommandRun.Of("checkpoint", "inspect", _run, "--step", "20", "--parts");
        Assert.Equal(0, code);
        Assert.Contains("step 20, 20,000 tokens", output);
        Assert.Contains("c0ffee", output);
        Assert.Contains("head.output.weight  Float32   [2, 2]", output);
        Assert.Contains("rank-00000.safetensors from byte 4096: [2, 2] at [0, 0]", output);
        Assert.Contains("\"consumed_tokens\": 30000", CommandRun.Of("checkpoint", "inspect", _run, "--json").Output);
    }

    [Fact]
    public void VerifyNamesFileAndTensorOfAFlippedByte()
    {
        Assert.Equal(0, CommandRun.Of("checkpoint", "verify", _run).Code);
        string path = Path.Combine(Step(20), "rank-00000.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        bytes[4096] ^= 4;
        File.WriteAllBytes(path, bytes);
        var (code, output, _) = CommandRun.Of("checkpoint", "verify", _run);
        Assert.Equal(1, code);
        Assert.Contains($"{path}: tensor 'head.output.weight' is not what was written", output);
        Assert.Equal(2, output.Split("good ").Length - 1);
        Assert.Equal(0, CommandRun.Of("checkpoint", "verify", Step(30)).Code);
    }

    [Fact]
    public void DiffTellsTensorsThatDiffer()
    {
        var (code, output, _) = CommandRun.Of("checkpoint", "diff", Step(10), Step(30));
        Assert.Equal(1, code);
        Assert.Contains("head.output.weight: 1 elements differ, at most by 20 (largest magnitude 10)", output);
        Assert.Equal(0, CommandRun.Of("checkpoint", "diff", Step(30), _run).Code);
    }

    [Fact]
    public void PruneDeletesWhatItSaid()
    {
        string would = CommandRun.Of("checkpoint", "prune", _run, "--keep", "1", "--dry-run").Output;
        Assert.Contains($"would delete {Step(20)}", would);
        Assert.True(Directory.Exists(Step(20)));
        Assert.Contains("2 of 3 checkpoints", CommandRun.Of("checkpoint", "prune", _run, "--keep", "1").Output);
        Assert.Equal([Step(30)], Directory.GetDirectories(Path.Combine(_run, "checkpoints")));
    }

    [Fact]
    public void TheUsersMistakesAreOneSentence()
    {
        Assert.Equal(2, CommandRun.Of("checkpoint", "prune", _run, "--keep", "0").Code);
        Assert.Equal(2, CommandRun.Of("checkpoint", "list", _run + "-not-here").Code);
        var (code, _, error) = CommandRun.Of("checkpoint", "inspect", _run, "--step", "11");
        Assert.Equal(2, code);
        Assert.Contains("there are 10, 20, 30", error);
    }
}
