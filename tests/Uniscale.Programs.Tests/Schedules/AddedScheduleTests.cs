using Uniscale.Configuration;
using Uniscale.Programs.Checking;
using Uniscale.Programs.Schedules;

namespace Uniscale.Programs.Tests.Schedules;

/// <summary>The registry is the process's, so what adds to it runs alone.</summary>
[CollectionDefinition(nameof(AddedScheduleTests), DisableParallelization = true)]
public static class AddedSchedules;

/// <summary>A schedule is one file: configurations may name it, with chunks, as soon as it is there.</summary>
[Collection(nameof(AddedScheduleTests))]
public sealed class AddedScheduleTests
{
    private const string Yaml = "{ parallel: { schedule: breadth-first, pipeline: 3, chunks: 2 }, train: { steps: 1 } }";

    [Fact]
    public void A_schedule_that_interleaves_is_accepted_checked_and_has_its_bubble()
    {
        using var added = ScheduleRegistry.Add(new BreadthFirstSchedule());
        var resolved = ConfigurationLoader.Parse(Yaml);
        LayoutGate.Check(resolved);
        var spec = SpecificationBuilder.Build(resolved.Value, ranks: 6, vocabulary: 100);
        Assert.Equal(("breadth-first", 2, 6), (spec.Schedule, spec.Chunks, spec.VirtualStages));
        Assert.True(ProgramChecker.Check(spec).Passed);
    }

    [Theory]
    [InlineData("parallel.chunks=1", "parallel.schedule is breadth-first, but parallel.chunks is 1: set parallel.chunks to 2 or more")]
    [InlineData("parallel.pipeline=1", "parallel.schedule is breadth-first, but parallel.pipeline is 1")]
    [InlineData(
        "parallel.schedule=1f1b",
        "only schedules that interleave have chunks: set parallel.schedule to breadth-first or interleaved-1f1b, or parallel.chunks to 1."
    )]
    public void It_is_held_to_what_every_schedule_that_interleaves_is_held_to(string change, string expected)
    {
        using var added = ScheduleRegistry.Add(new BreadthFirstSchedule());
        var resolved = ConfigurationLoader.Parse(Yaml, [change]);
        Assert.Contains(expected, Assert.Throws<UserErrorException>(() => LayoutGate.Check(resolved)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_its_file_it_is_unknown() =>
        Assert.Contains(
            "there is no schedule 'breadth-first'",
            Assert.Throws<UserErrorException>(() => LayoutGate.Check(ConfigurationLoader.Parse(Yaml))).Message,
            StringComparison.Ordinal
        );
}
