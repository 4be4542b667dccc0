using Uniscale.Configuration;
using Uniscale.Programs.Checking;
using Uniscale.Programs.Memory;
using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;

namespace Uniscale.Programs.Tests.Memory;

public class ActivationMemoryTests
{
    private static readonly StepSpecification Half = Specs.Of() with { MicrobatchSize = 3, ActivationBytes = 2 };

    /// <summary>Tokens × hidden, sbh in Korthikanti et al., 2022.</summary>
    private const double Unit = 3 * 32 * 64;

    /// <summary>One fp32 a token and head, in units.</summary>
    private const double Rows = 4 * 4 / 64.0;

    [Fact]
    public void AWholeLayerIsThatOfThePaperWithoutDropoutAndScores() =>
        Assert.Equal(Unit * (32 + Rows), new ActivationMemory(Half).FullBytes(1), 0);

    [Fact]
    public void TensorParallelismLeavesTheResidualWhole()
    {
        var split = new ActivationMemory(Half with { Mesh = new MeshShape(1, 1, 1, 4) });
        Assert.Equal(Unit * (8 + (24 + Rows) / 4), split.FullBytes(1), 0);
        var sequence = new ActivationMemory(Half with { Mesh = new MeshShape(1, 1, 1, 4), SequenceParallel = true });
        Assert.Equal(Unit * (32 + Rows) / 4, sequence.FullBytes(1), 0);
    }

    [Fact]
    public void RecomputationKeepsLess()
    {
        Assert.Equal(Unit * (20 + Rows), new ActivationMemory(Half with { Recompute = RecomputeKind.Selective }).KeptBytes(1), 0);
        Assert.Equal(Unit * 2, new ActivationMemory(Half with { Recompute = RecomputeKind.Block }).KeptBytes(1), 0);
        var every = new ActivationMemory(Half with { Recompute = RecomputeKind.EveryKth, RecomputeEvery = 2 });
        Assert.Equal([2.0, 32 + Rows, 2.0], new[] { 1, 2, 3 }.Select(block => every.KeptBytes(block) / Unit));
    }

    /// <summary>
    /// The figures of docs/decisions/0054: 16 vectors as wide as the residual stream, and about 11 with selective recomputation.
    /// </summary>
    [Fact]
    public void AGatedLayerKeepsSixteenOrElevenVectors()
    {
        var gated = Half with { Model = Specs.Tiny with { Hidden = 96, HeadDim = 24, Ffn = 256, GatedFfn = true } };
        double vector = 3 * 32 * 96 * 2;
        Assert.Equal(16, new ActivationMemory(gated).FullBytes(1) / vector, 0.2);
        Assert.Equal(11.3, new ActivationMemory(gated with { Recompute = RecomputeKind.Selective }).KeptBytes(1) / vector, 0.2);
    }

    [Fact]
    public void TheHeadHoldsLogitsOfAChunkOnly()
    {
        var memory = new ActivationMemory(Half with { Model = Specs.Tiny with { Vocabulary = 1 << 20 } });
        Assert.Equal(16L << 22, memory.ForwardBytes(7));
        Assert.Equal(Unit * 4, memory.KeptBytes(7), 0);
    }

    [Theory]
    [InlineData("1f1b")]
    [InlineData("gpipe")]
    [InlineData("interleaved-1f1b")]
    [InlineData("zero-bubble")]
    public void NothingIsAliveAfterAStep(string schedule)
    {
        var spec = Specs.Of(pipeline: 3, schedule: schedule, microbatches: 6) with { Recompute = RecomputeKind.Selective };
        for (int rank = 0; rank < 3; rank++)
        {
            var meter = new ActivationMeter(spec);
            foreach (var instruction in ProgramGenerator.Generate(spec, rank).Instructions)
                meter.Run(instruction);
            Assert.Equal(0, meter.LiveBytes);
        }
    }

    [Fact]
    public void OneForwardOneBackwardKeepsAsManyMicrobatchesAsStagesAreLeft()
    {
        var spec = Specs.Of(pipeline: 4, microbatches: 16) with { Model = Specs.Tiny with { Layers = 16, Vocabulary = 8 } };
        var peaks = ProgramChecker.Check(spec).PeakActivationBytes;
        double layer = new ActivationMemory(spec).KeptBytes(1);
        Assert.InRange(peaks[1] / layer, 3 * 4, 3 * 4 + 1);
        Assert.InRange(peaks[2] / layer, 2 * 4, 2 * 4 + 1);
        var all = ProgramChecker.Check(spec with { Schedule = "gpipe" }).PeakActivationBytes;
        Assert.InRange(all[1] / layer, 16 * 4, 16 * 4 + 2);
    }

    [Fact]
    public void WhereTheFirstStageIsSlowestOneForwardOneBackwardGoesOneMicrobatchFurther()
    {
        var spec = Specs.Of(pipeline: 2, microbatches: 8) with { Model = Specs.Tiny with { Layers = 5, Vocabulary = 8 } };
        var costs = StepCosts.FromOperations(spec, 1);
        var papers = new OneForwardOneBackwardSchedule();
        var fitted = papers.FittedTo(spec);
        Assert.NotSame(papers, fitted);
        Assert.InRange(
            PipelineTimeline.Simulate(spec, costs, fitted).PassesEnd / PipelineTimeline.Simulate(spec, costs, papers).PassesEnd,
            0.8,
            0.98
        );
        var verdict = ProgramChecker.Check(spec);
        Assert.Empty(verdict.Violations);
        double layer = new ActivationMemory(spec).KeptBytes(1);
        Assert.InRange(verdict.PeakActivationBytes[0] / layer, 3 * 3, 3 * 3 + 1);
        Assert.InRange(verdict.PeakActivationBytes[1] / layer, 2, 3);
    }

    [Fact]
    public void ZeroBubbleNeedsNoMoreThanTheFirstStageOfOneForwardOneBackward()
    {
        var spec = Specs.Of(pipeline: 4, microbatches: 16) with { Model = Specs.Tiny with { Layers = 16, Vocabulary = 8 } };
        long plain = ProgramChecker.Check(spec).PeakActivationBytes.Max();
        Assert.InRange(ProgramChecker.Check(spec with { Schedule = "zero-bubble" }).PeakActivationBytes.Max() / (double)plain, 0.9, 1.05);
    }
}
