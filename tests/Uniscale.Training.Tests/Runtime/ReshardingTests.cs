using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Model;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

/// <summary>
/// A run that wanders from layout to layout: after each load all state is saved again at once and must be what was loaded, bit for bit;
/// then the run goes on as one rank alone would have.
/// </summary>
public sealed class ReshardingTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-resharding-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(
        PrecisionKind.Fp32,
        1e-5,
        "dp1",
        "dp2 zero1",
        "tp2",
        "pp2",
        "dp4 zero3",
        "tp2 pp2 dp2 zero2",
        "cp2 dp2 zero3",
        "dp2 zero3 tp2",
        "pp4",
        "dp4 zero3 group2",
        "tp2 sp pp2 zero0",
        "cp2 tp2",
        "dp8 zero2",
        "dp1"
    )]
    [InlineData(PrecisionKind.Fp32, 1e-5, "tp2 pp2 tied", "dp4 zero3 tied", "pp2 dp2 tied", "dp1 tied")]
    [InlineData(PrecisionKind.Bf16, 1e-2, "dp2 zero3", "tp2 pp2", "dp4 zero1", "dp1")]
    public void ARunWandersFromLayoutToLayout(PrecisionKind precision, double tolerance, params string[] layouts)
    {
        const int StepsEach = 2;
        var run = TestRuns.Tiny with
        {
            Model = LayoutSpec.Parse(layouts[0]).ModelOf(TestRuns.Tiny.Model),
            Train = TestRuns.Tiny.Train with { Steps = 40, Precision = precision },
        };
        double[] alone = TestRuns.OnRanks(
            1,
            world =>
            {
                using var runtime = TestRuns.Runtime(run, world);
                return Enumerable.Range(0, StepsEach * layouts.Length).Select(_ => runtime.Step().Decision.Loss).ToArray();
            }
        )[0];
        for (int leg = 0; leg < layouts.Length; leg++)
        {
            double[] losses = Leg(run, layouts[leg], leg, StepsEach);
            for (int i = 0; i < StepsEach; i++)
            {
                double expected = alone[StepsEach * leg + i];
                Assert.True(
                    Math.Abs(losses[i] / expected - 1) < tolerance,
                    $"{layouts[leg]}, step {StepsEach * leg + i}: loss {losses[i]}, one rank alone {expected}."
                );
            }
        }
    }

    private double[] Leg(RunConfiguration run, string layout, int leg, int steps)
    {
        var spec = LayoutSpec.Parse(layout);
        double[] losses = TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                using var runtime = TestRuns.Runtime(run with { Parallel = spec.Parallel }, world);
                if (leg > 0)
                {
                    using var before = new CheckpointStore(At($"{leg - 1}"), world);
                    Assert.NotNull(runtime.Resume(before));
                    Save(runtime, new CheckpointStore(At($"{leg - 1}-again"), world));
                }
                Assert.Equal(Derived(runtime), runtime.StateToSave().Select(Shown));
                double[] taken = [.. Enumerable.Range(0, steps).Select(_ => runtime.Step().Decision.Loss)];
                Save(runtime, new CheckpointStore(At($"{leg}"), world));
                return taken;
            }
        )[0];
        if (leg > 0)
        {
            var different = CheckpointDiff.Compare(Open($"{leg - 1}"), Open($"{leg - 1}-again")).Where(tensor => !tensor.BitEqual);
            Assert.True(!different.Any(), $"loaded by {layout}: {string.Join("; ", different)}");
        }
        return losses;
    }

    // What a rank saves follows from model, layout and rank alone.
    private static IEnumerable<string> Derived(RankRuntime runtime)
    {
        var type = runtime.Configuration.Train.Precision == PrecisionKind.Bf16 ? ElementType.BFloat16 : ElementType.Float32;
        var row = Transformer.Blocks(runtime.Configuration.Model, runtime.Specification.Model.Vocabulary);
        return new SavedState(row, runtime.Specification, type).Of(runtime.World.Rank).Select(Shown);
    }

    private static string Shown(StateSlice slice) =>
        $"{slice.Name} {slice.Type} [{string.Join(',', slice.GlobalShape)}] at [{string.Join(',', slice.Offset)}]: [{string.Join(',', slice.Shape)}] of {string.Join(',', slice.Holders!)}";

    private static void Save(RankRuntime runtime, CheckpointStore store)
    {
        using (store)
        {
            var saved = store
                .SaveAsync(
                    new CheckpointState
                    {
                        Step = runtime.Position.Step,
                        ConsumedTokens = runtime.Position.ConsumedTokens,
                        DataFingerprint = runtime.Data.FingerprintAt(runtime.Position.ConsumedTokens),
                        Extra = runtime.Position.ToExtra(),
                        Slices = runtime.StateToSave(),
                        Tensors = runtime.TensorsToSave,
                    }
                )
                .Wait();
            Assert.Equal((SaveStatus.Durable, ""), (saved.Status, saved.Reason));
        }
    }

    private string At(string name) => Path.Combine(_folder.FullName, name);

    private CheckpointReader Open(string name) => CheckpointReader.Open(CheckpointCatalog.Find(At(name)));
}
