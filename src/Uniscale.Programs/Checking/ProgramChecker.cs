using Uniscale.Programs.Memory;

namespace Uniscale.Programs.Checking;

/// <summary>
/// Proves the programs of all ranks of a layout before anything is allocated, in two parts.
/// <see cref="RankRules"/> reads each rank's program alone: every block forward and backward once for every microbatch, nothing used before
/// it is
/// there, everything reduced, updated and released. <see cref="StrictWorld"/> runs all ranks against each other in the strictest model
/// there
/// is, where sends and collectives stand still until the other side is there: sends meet receives in order, members of a group meet in
/// the same order, and all ranks come to their end. Why that is a proof for the executor, which waits less: docs/decisions/0030.
/// </summary>
public static class ProgramChecker
{
    /// <summary>Violations reported at most; one fault is often seen by many ranks.</summary>
    public const int ReportedAtMost = 50;

    /// <summary>Checks the generated programs of a layout, every rank of it.</summary>
    public static Verdict Check(StepSpecification spec) => Check(spec, new ProgramGenerator(spec).Generate);

    /// <summary>Refuses programs that are not right; for those who are about to run them.</summary>
    /// <exception cref="ProgramRefusedException">A rule is broken.</exception>
    public static void Require(StepSpecification spec)
    {
        var verdict = Check(spec);
        if (!verdict.Passed)
            throw new ProgramRefusedException(verdict);
    }

    /// <summary>Checks programs, every rank of a layout.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="programOf">Program of a rank.</param>
    public static Verdict Check(StepSpecification spec, Func<int, StepProgram> programOf)
    {
        var programs = Enumerable.Range(0, spec.Mesh.Size).Select(programOf).ToArray();
        var layout = new CheckedLayout(spec);
        var violations = new List<Violation>();
        long[] peaks = new long[programs.Length];
        for (int rank = 0; rank < programs.Length && violations.Count < ReportedAtMost; rank++)
        {
            new RankRules(layout, rank, violations).Check(programs[rank]);
            peaks[rank] = ActivationMeter.PeakOf(spec, programs[rank]);
        }
        new StrictWorld(layout, programs, violations).Run();
        return new Verdict
        {
            Violations = violations.Count <= ReportedAtMost ? violations : violations.GetRange(0, ReportedAtMost),
            PeakActivationBytes = peaks,
            InstructionCount = programs.Sum(program => (long)program.Instructions.Count),
        };
    }
}
