using Uniscale.Planning.Clusters;
using Uniscale.Planning.Costs;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Simulation;

namespace Uniscale.Planning.Tests.Simulation;

public class StepSimulationTests
{
    private static readonly Cluster Cluster = ClusterCatalog.Load("a100-80-selene");
    private static readonly StackSection Stack = Cluster.StackOf("");

    /// <summary>Links that cost nothing, so that only passes are left.</summary>
    private static readonly StackSection Free = Stack with { Constants = Stack.Constants with { StepOverhead = 0 } };

    [Fact]
    public void One_rank_takes_the_sum_of_its_passes_and_updates()
    {
        var spec = Specs.Of();
        var plan = PricedStep.Of(spec, Cluster, Free);
        var costs = new InstructionCosts(spec, Cluster, Free);
        double passes = ProgramGenerator.Generate(spec, 0).Instructions.Sum(at => costs.Of(at).Total);
        double updates = Enumerable.Range(0, spec.Model.BlockCount).Sum(costs.Update);
        Assert.Equal(passes + updates, plan.Seconds, 12);
    }

    /// <summary>Without communication the simulation is that of Uniscale.Programs, which tests hold to the schedules' formulas.</summary>
    [Theory]
    [InlineData("gpipe", 1)]
    [InlineData("1f1b", 1)]
    [InlineData("zero-bubble", 1)]
    [InlineData("interleaved-1f1b", 2)]
    public void Pipelines_agree_with_the_timeline(string schedule, int chunks)
    {
        var spec = Specs.Of(pipeline: 4, microbatches: 8) with { Schedule = schedule, Chunks = chunks };
        var costs = new InstructionCosts(spec, Cluster, Free);
        var blocks = Enumerable
            .Range(0, spec.Model.BlockCount)
            .Select(block => new PassTimes(
                costs.Of(new Instruction(Op.Forward, block)).Total,
                costs.Of(new Instruction(Op.BackwardInput, block)).Total,
                costs.Of(new Instruction(Op.BackwardWeight, block)).Total
            ))
            .ToArray();
        bool split = schedule == "zero-bubble";
        if (!split)
            blocks =
            [
                .. blocks.Select((times, block) => new PassTimes(times.Forward, costs.Of(new Instruction(Op.Backward, block)).Total, 0)),
            ];
        else
            blocks[0] = new PassTimes(blocks[0].Forward, costs.Of(new Instruction(Op.Backward, 0)).Total, 0);
        double transfer = costs.Links.Send(costs.BoundaryBytes, 0, 1);
        var expected = PipelineTimeline.Simulate(spec, new StepCosts { Blocks = blocks, Transfer = transfer });
        var plan = PricedStep.Of(spec, Cluster, Free);
        Assert.Equal(expected.PassesEnd, plan.Times.Classes.Max(times => times.PassesEnd), expected.PassesEnd * 0.02);
    }

    [Fact]
    public void Ranks_with_the_same_links_are_one_class_and_others_are_not()
    {
        var links = new LinkTimes(Cluster, new ConstantsSection());
        Assert.Equal(4, RankClasses.Of(Specs.Of(pipeline: 4, data: 8, tensor: 8), links).Count);
        // Six replicas a stage: some ranks find their neighbour stage in their own machine, some in the next.
        var classes = RankClasses.Of(Specs.Of(pipeline: 2, data: 6), links);
        Assert.True(classes.Count > 2);
        Assert.Equal(12, classes.Sum(at => at.Count));
    }

    [Fact]
    public void Classes_give_the_times_of_a_simulation_of_every_rank()
    {
        var spec = Specs.Of(pipeline: 2, data: 6, zero: 1);
        var generator = new ProgramGenerator(spec);
        var costs = new InstructionCosts(spec, Cluster, Free);
        var classes = RankClasses.Of(spec, costs.Links);
        double expected = new StepSimulation(spec, costs, classes, generator, false).Run().Seconds;
        double alone = new StepSimulation(spec, costs, EveryRank(spec, costs.Links), generator, false).Run().Seconds;
        Assert.Equal(alone, expected, 12);
    }

    [Fact]
    public void What_cannot_run_beside_computation_makes_the_step_longer()
    {
        var spec = Specs.Of(pipeline: 2, data: 16);
        double beside = PricedStep.Of(spec, Cluster, Free).Seconds;
        Assert.True(PricedStep.Of(spec, Cluster, Free with { OverlapGradients = false }).Seconds > beside);
        Assert.True(PricedStep.Of(spec, Cluster, Free with { OverlapSends = false }).Seconds > beside);
    }

    /// <summary>A class for each rank, as if no two were alike.</summary>
    private static RankClass[] EveryRank(StepSpecification spec, LinkTimes links) =>
        [
            .. Enumerable
                .Range(0, spec.Mesh.Size)
                .Select(rank =>
                {
                    var groups = RankGroups.Of(spec, rank);
                    int stage = spec.Mesh.CoordinateOf(rank).Pipeline,
                        count = groups.Pipeline.Count;
                    var places = new RankPlaces(
                        links.PlaceOf(groups.Lockstep),
                        links.PlaceOf(groups.Replicas),
                        links.PlaceOf(groups.Shards),
                        links.PlaceOf(groups.ShardReplicas),
                        links.PlaceOf(groups.Tied),
                        links.PlaceOf([rank, groups.Pipeline[(stage + 1) % count]]),
                        links.PlaceOf([rank, groups.Pipeline[(stage + count - 1) % count]])
                    );
                    return new RankClass(rank, rank, 1, stage, places)
                    {
                        Groups = new ClassGroups(
                            [.. groups.Lockstep],
                            [.. groups.Replicas],
                            [.. groups.Shards],
                            [.. groups.ShardReplicas],
                            [.. groups.Tied]
                        ),
                        ClassOfStage = groups.Pipeline,
                    };
                }),
        ];
}
