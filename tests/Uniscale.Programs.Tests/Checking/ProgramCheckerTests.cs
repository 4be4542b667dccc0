using System.Diagnostics;
using Uniscale.Programs.Checking;
using Uniscale.Programs.Schedules;

namespace Uniscale.Programs.Tests.Checking;

public class ProgramCheckerTests
{
    public static TheoryData<string> ScheduleNames => new(ScheduleRegistry.Names);

    [Theory]
    [MemberData(nameof(ScheduleNames))]
    public void EveryLayoutOfAScheduleIsRight(string schedule)
    {
        int[] chunkCounts = ScheduleRegistry.Find(schedule).Interleaves ? [1, 2] : [1];
        var specs =
            from pipeline in new[] { 1, 2, 3, 4 }
            from chunks in chunkCounts
            from microbatches in new[] { 1, 2, 3, 5, 8 }
            from zero in Enumerable.Range(0, 4)
            from tied in new[] { false, true }
            select Specs.Of(pipeline, 2, 1, 2, microbatches, schedule, chunks, zero, tied: tied);
        foreach (var spec in specs)
            AssertPasses(spec with { Checksum = true });
    }

    [Fact]
    public void HybridShardingIsRight() =>
        AssertPasses(Specs.Of(pipeline: 2, data: 4, context: 2, zero: 3, group: 4) with { Checksum = true });

    [Theory]
    [InlineData(82, 16, 8)]
    [InlineData(104, 32, 8)]
    public void EveryRankOf2048IsCheckedInSeconds(int layers, int pipeline, int tensor)
    {
        var spec = new StepSpecification
        {
            Model = layers == 82 ? Specs.Large104 : Specs.Large200 with { Layers = layers },
            Mesh = new MeshShape(pipeline, 2048 / pipeline / tensor, 1, tensor),
            Microbatches = 128,
            MicrobatchSize = 1,
            ZeroStage = 1,
            ZeroGroup = 2048 / pipeline / tensor,
            SequenceParallel = true,
            ActivationBytes = 2,
        };
        var clock = Stopwatch.StartNew();
        var verdict = ProgramChecker.Check(spec);
        Assert.Empty(verdict.Violations);
        Assert.Equal(2048, verdict.PeakActivationBytes.Count);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"{clock.Elapsed}");
        TestContext.Current.TestOutputHelper?.WriteLine($"{verdict.InstructionCount} instructions in {clock.Elapsed.TotalSeconds:F1} s");
    }

    [Fact]
    public void AFaultIsNamedWithRankAndInstruction()
    {
        var spec = Specs.Of(pipeline: 2, microbatches: 2);
        var verdict = ProgramChecker.Check(
            spec,
            rank => rank == 1 ? Without(ProgramGenerator.Generate(spec, rank), Op.SendGradient) : ProgramGenerator.Generate(spec, rank)
        );
        var fault = verdict.Violations[0];
        Assert.Equal((1, "lacks: SentGradient"), (fault.Rank, fault.Reason[fault.Reason.IndexOf("lacks", StringComparison.Ordinal)..]));
        Assert.Contains(
            verdict.Violations,
            violation =>
                violation.ToString().StartsWith("rank 0, instruction", StringComparison.Ordinal) && violation.Reason.Contains("deadlock")
        );
        Assert.StartsWith("the step program is refused: rank 1, instruction", new ProgramRefusedException(verdict).Message);
    }

    [Fact]
    public void ADeadlockOfWaitingSendsIsFound()
    {
        var spec = Specs.Of(pipeline: 2, microbatches: 4);
        var verdict = ProgramChecker.Check(spec, rank => Late(ProgramGenerator.Generate(spec, rank)));
        Assert.Contains(verdict.Violations, violation => violation.Reason.Contains("waits for a receive that is never posted"));
    }

    /// <summary>Each receive right before the pass that needs it, as a careless schedule would post it.</summary>
    private static StepProgram Late(StepProgram program)
    {
        var receives = program.Instructions.Where(at => at.Op is Op.ReceiveActivation or Op.ReceiveGradient).ToList();
        var late = new List<Instruction>();
        foreach (var at in program.Instructions.Except(receives))
        {
            late.AddRange(
                receives.Where(receive =>
                    receive.Block == at.Block
                    && receive.Microbatch == at.Microbatch
                    && receive.Op
                        == (
                            at.Op == Op.Forward ? Op.ReceiveActivation
                            : at.Op == Op.Backward ? Op.ReceiveGradient
                            : Op.Load
                        )
                )
            );
            late.Add(at);
        }
        return program with { Instructions = late };
    }

    /// <summary>The program without its first instruction of a kind.</summary>
    private static StepProgram Without(StepProgram program, Op op)
    {
        var rest = program.Instructions.ToList();
        rest.RemoveAt(rest.FindIndex(at => at.Op == op));
        return program with { Instructions = rest };
    }

    private static void AssertPasses(StepSpecification spec)
    {
        var verdict = ProgramChecker.Check(spec);
        Assert.True(verdict.Passed, $"{spec}\n{string.Join("\n", verdict.Violations.Take(5))}");
    }
}
