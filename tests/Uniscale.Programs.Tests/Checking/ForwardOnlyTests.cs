using FsCheck;
using FsCheck.Fluent;
using Uniscale.Programs.Checking;
using Uniscale.Programs.Tests.Properties;

namespace Uniscale.Programs.Tests.Checking;

/// <summary>Programs that go forward only, as validation runs them.</summary>
public sealed class ForwardOnlyTests
{
    private static readonly Op[] Allowed =
    [
        Op.Load,
        Op.GatherParameters,
        Op.ReleaseParameters,
        Op.ReceiveActivation,
        Op.SendActivation,
        Op.Forward,
        Op.SumLoss,
    ];

    /// <summary>
    /// The forward half of any layout that trains is proven like the whole, goes forward in the same order, and has nothing of the other
    /// half.
    /// </summary>
    [Fact]
    public void Any_layout_goes_forward_alone() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(60),
            Prop.ForAll(
                Generators.Layouts,
                training =>
                {
                    var spec = training with { ForwardOnly = true };
                    var (whole, half) = (new ProgramGenerator(training), new ProgramGenerator(spec));
                    return ProgramChecker.Check(spec).Passed
                        && Enumerable
                            .Range(0, spec.Mesh.Size)
                            .All(rank =>
                                half.Generate(rank).Instructions.All(at => Allowed.Contains(at.Op))
                                && Forwards(half.Generate(rank)).SequenceEqual(Forwards(whole.Generate(rank)))
                            );
                }
            )
        );

    [Fact]
    public void Memory_is_that_of_the_blocks_at_work()
    {
        var spec = Specs.Of(microbatches: 8);
        long trained = ProgramChecker.Check(spec).PeakActivationBytes[0],
            read = ProgramChecker.Check(spec with { ForwardOnly = true }).PeakActivationBytes[0];
        Assert.InRange((double)read / trained, 0.01, 0.5);
    }

    [Theory]
    [InlineData(Op.Forward, "lacks: Forward")]
    [InlineData(Op.SumLoss, "no sum of the loss")]
    [InlineData(Op.Load, "is not loaded")]
    [InlineData(Op.ReleaseParameters, "not released")]
    public void What_is_left_out_is_found(Op op, string expected)
    {
        var spec = Specs.Of(data: 2, zero: 3) with { ForwardOnly = true };
        var whole = ProgramGenerator.Generate(spec, 0).Instructions.ToList();
        whole.RemoveAt(whole.FindLastIndex(at => at.Op == op));
        var verdict = ProgramChecker.Check(spec, rank => rank == 0 ? new StepProgram(0, whole) : ProgramGenerator.Generate(spec, rank));
        Assert.Contains(verdict.Violations, violation => violation.Reason.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void A_half_that_does_not_belong_is_refused()
    {
        var training = Specs.Of();
        var reading = training with { ForwardOnly = true };
        Assert.Contains(
            ProgramChecker.Check(reading, rank => ProgramGenerator.Generate(training, rank)).Violations,
            violation => violation.Reason.Contains("goes forward only", StringComparison.Ordinal)
        );
        Assert.Contains(
            ProgramChecker.Check(training, rank => ProgramGenerator.Generate(reading, rank)).Violations,
            violation => violation.Reason.Contains("no norm", StringComparison.Ordinal)
        );
    }

    private static IEnumerable<Instruction> Forwards(StepProgram program) => program.Instructions.Where(at => at.Op == Op.Forward);
}
