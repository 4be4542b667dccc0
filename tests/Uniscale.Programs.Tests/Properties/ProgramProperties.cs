using FsCheck;
using FsCheck.Fluent;
using Uniscale.Programs.Checking;
using Uniscale.Programs.Tests.Reference;

namespace Uniscale.Programs.Tests.Properties;

/// <summary>
/// The checker held to <see cref="ReferenceWorld"/> on random layouts. What is wrong is told by running the programs, never by the checker.
/// </summary>
public class ProgramProperties
{
    private static readonly Config Replayed = Config.QuickThrowOnFailure.WithReplay(20231, 7).WithMaxTest(400);

    /// <summary>
    /// What the checker refuses although the outcome is the same: loading or counting twice (wasted work), and, under ZeRO-2 and 3,
    /// a reduction that does not follow the microbatch it names (the whole gradient would live longer than the memory plan says).
    /// </summary>
    private static bool MayBeRefusedThoughHarmless(Op op, StepSpecification spec) =>
        op switch
        {
            Op.Load or Op.CountTokens => true,
            Op.ReduceGradients or Op.Backward or Op.BackwardWeight => spec.Sharding >= 2,
            _ => false,
        };

    [Fact]
    public void GeneratedProgramsAreRight() =>
        Check.One(
            Replayed,
            Prop.ForAll(
                Generators.Layouts,
                spec =>
                {
                    var programs = ProgramsOf(spec);
                    string? wrong = ReferenceWorld.WhatIsWrong(spec, programs);
                    var verdict = ProgramChecker.Check(spec, rank => programs[rank]);
                    return (wrong is null && verdict.Passed).Label($"{wrong}; {string.Join("; ", verdict.Violations.Take(3))}");
                }
            )
        );

    [Fact]
    public void MutantsAreRefusedWhereTheyAreWrong()
    {
        int wrongCount = 0,
            harmlessCount = 0,
            strictCount = 0;
        Check.One(
            Replayed.WithMaxTest(4000),
            Prop.ForAll(
                Generators.Mutants,
                mutant =>
                {
                    var (spec, mutation) = mutant;
                    var original = ProgramsOf(spec);
                    var programs = mutation.Apply(original);
                    string? wrong = ReferenceWorld.WhatIsWrong(spec, programs);
                    bool refused = !ProgramChecker.Check(spec, rank => programs[rank]).Passed;
                    if (wrong is not null)
                        wrongCount++;
                    else if (refused)
                        strictCount++;
                    else
                        harmlessCount++;
                    bool strict = wrong is null && refused && !mutation.Touched(original).Any(op => MayBeRefusedThoughHarmless(op, spec));
                    return (!strict && (wrong is null || refused)).Label($"{wrong ?? "nothing wrong"}; refused: {refused}");
                }
            )
        );
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{wrongCount} wrong and refused, {harmlessCount} harmless and accepted, {strictCount} harmless but refused"
        );
        Assert.True(
            wrongCount > 2000 && harmlessCount > 100,
            $"{wrongCount} wrong, {harmlessCount} harmless: the test does not tell them apart"
        );
    }

    private static StepProgram[] ProgramsOf(StepSpecification spec)
    {
        var generator = new ProgramGenerator(spec);
        return Enumerable.Range(0, spec.Mesh.Size).Select(generator.Generate).ToArray();
    }
}
