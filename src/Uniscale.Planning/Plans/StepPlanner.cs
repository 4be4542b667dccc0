using Uniscale.Planning.Clusters;
using Uniscale.Planning.Costs;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Simulation;

namespace Uniscale.Planning.Plans;

/// <summary>A layout on a cluster, ready to be priced: its programs are written and its ranks sorted into classes once.</summary>
public sealed class StepPlanner
{
    private readonly StepSpecification _spec;
    private readonly Cluster _cluster;
    private readonly ProgramGenerator _generator;
    private readonly Lazy<IReadOnlyList<RankClass>> _classes;

    /// <summary>Prepares a layout.</summary>
    /// <exception cref="LayoutException">The layout cannot work.</exception>
    public StepPlanner(StepSpecification spec, Cluster cluster)
    {
        (_spec, _cluster) = (spec, cluster);
        _generator = new ProgramGenerator(spec);
        // Where machines and pods end does not depend on the software.
        _classes = new(() => RankClasses.Of(spec, new LinkTimes(cluster, new ConstantsSection())));
    }

    /// <summary>Classes of its ranks.</summary>
    public IReadOnlyList<RankClass> Classes => _classes.Value;

    /// <summary>Program of a rank.</summary>
    public StepProgram ProgramOf(int rank) => _generator.Generate(rank);

    /// <summary>Memory of one rank of each stage; ranks of a stage have the same.</summary>
    public IReadOnlyList<RankMemory> MemoryOfStages(StackSection stack) =>
        [.. _spec.Mesh.GroupOf(0, Axis.Pipeline).Select(rank => RankMemory.Of(_spec, _generator.Generate(rank), _cluster, stack))];

    /// <summary>Prices a step.</summary>
    /// <param name="stack">The software.</param>
    /// <param name="withIntervals">Keep what ran when.</param>
    public PricedStep Price(StackSection stack, bool withIntervals = false)
    {
        var costs = new InstructionCosts(_spec, _cluster, stack);
        var times = new StepSimulation(_spec, costs, _classes.Value, _generator, withIntervals).Run();
        return new PricedStep
        {
            Spec = _spec,
            Cluster = _cluster,
            Stack = stack,
            Times = times,
        };
    }
}
