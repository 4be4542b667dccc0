using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

/// <summary>What a phase sets is what its steps use, on any layout: context, batch, RoPE base.</summary>
public sealed class PhaseSettingsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-phases-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void ContextBatchAndRopeBaseChangeOnTheFlyAlikeOnOneAndTwoRanks()
    {
        var run = Run(ropeBase: 50_000);
        (double Loss, int Context, int Sequences)[] one = Steps(run, 1),
            two = Steps(run, 2);
        Assert.Equal([(16, 8), (16, 8), (32, 4), (32, 4)], one.Select(step => (step.Context, step.Sequences)));
        for (int i = 0; i < one.Length; i++)
            Assert.Equal(1, two[i].Loss / one[i].Loss, 1e-5);
        var plain = Steps(Run(ropeBase: null), 1);
        Assert.Equal(plain[..2].Select(step => step.Loss), one[..2].Select(step => step.Loss));
        Assert.NotEqual(plain[2].Loss, one[2].Loss);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void TheTotalOfStepsIsRightFromTheFirstStepOfARampOn(long lastStep)
    {
        var run = Run(ropeBase: null);
        run = run with
        {
            Batch = new() { Global = 8, Micro = 1 },
            Train = run.Train with { Steps = lastStep },
            Phases =
            [
                run.Phases[0] with
                {
                    Batch = new()
                    {
                        Global = 8,
                        Micro = 1,
                        Ramp = new Dictionary<string, string>
                        {
                            ["0"] = "1",
                            ["64"] = "2",
                            ["128"] = "8",
                        },
                    },
                },
                run.Phases[1],
            ],
        };
        (long[] Totals, long[] Ends, TrainingPosition Position) told = TestRuns.OnRanks(
            1,
            world =>
            {
                using var data = Curriculum.FromConfiguration(run);
                using var runtime = RankRuntime.Create(run, world, data, data.TotalTokens);
                var totals = new List<(long Steps, long Tokens)> { (runtime.TotalSteps, runtime.EndTokens) };
                while (!runtime.IsFinished)
                {
                    runtime.Step();
                    totals.Add((runtime.TotalSteps, runtime.EndTokens));
                }
                return (totals.Select(total => total.Steps).ToArray(), totals.Select(total => total.Tokens).ToArray(), runtime.Position);
            }
        )[0];
        Assert.Equal(lastStep == 0 ? 9 : lastStep, told.Position.Step);
        Assert.All(told.Totals, total => Assert.Equal(told.Position.Step, total));
        Assert.All(told.Ends, tokens => Assert.Equal(told.Position.ConsumedTokens, tokens));
    }

    private static (double Loss, int Context, int Sequences)[] Steps(RunConfiguration run, int ranks) =>
        TestRuns.OnRanks(
            ranks,
            world =>
            {
                using var data = Curriculum.FromConfiguration(run);
                using var runtime = RankRuntime.Create(run, world, data, data.TotalTokens);
                var steps = new List<(double Loss, int Context, int Sequences)>();
                while (!runtime.IsFinished)
                {
                    var outcome = runtime.Step();
                    steps.Add((outcome.Decision.Loss, outcome.Plan.Context, outcome.Plan.Sequences));
                }
                return steps.ToArray();
            }
        )[0];

    private RunConfiguration Run(double? ropeBase)
    {
        string prefix = Path.Combine(_folder.FullName, "shard");
        if (!File.Exists(prefix + ".bin"))
        {
            using var writer = new ShardWriter(prefix, 97);
            for (int document = 0; document < 50; document++)
                writer.Add([.. Enumerable.Range(0, 40).Select(i => (document * 31 + i * i) % 97)]);
            writer.Complete();
        }
        return TestRuns.Tiny with
        {
            Data = new()
            {
                Sources =
                [
                    new()
                    {
                        Name = "shard",
                        Domain = "shard",
                        Shards = [prefix],
                    },
                ],
            },
            Batch = new() { Global = 8, Micro = 2 },
            Train = new() { Seed = 7, Threads = 1 },
            Phases =
            [
                new()
                {
                    Name = "short",
                    Tokens = 256,
                    Context = 16,
                },
                new()
                {
                    Name = "long",
                    Tokens = 256,
                    Context = 32,
                    Batch = new() { Global = 4, Micro = 2 },
                    RopeBase = ropeBase,
                },
            ],
        };
    }
}
