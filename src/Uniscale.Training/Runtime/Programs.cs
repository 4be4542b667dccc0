using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Programs;
using Uniscale.Programs.Checking;
using Uniscale.Training.Feeding;

namespace Uniscale.Training.Runtime;

/// <summary>The step programs of one rank, made once for each size of batch and context that the curriculum brings.</summary>
internal sealed class Programs(RunConfiguration configuration, int rank, int ranks, int vocabulary, HostLink link)
{
    private readonly Dictionary<Key, (StepSpecification, StepProgram, BatchView)> _made = [];

    /// <summary>The layout with the configuration's own batch and context.</summary>
    public StepSpecification Base { get; } = SpecificationBuilder.Build(configuration, ranks, vocabulary);

    /// <summary>Program and share of the data for a step.</summary>
    /// <param name="plan">What the step is made of.</param>
    /// <param name="step">Its number, from 0: every so many compare their replicas.</param>
    public (StepSpecification Specification, StepProgram Program, BatchView View) For(StepPlan plan, long step)
    {
        int every = configuration.Train.ChecksumEvery;
        return Make(KeyOf(plan) with { Checksum = every > 0 && (step + 1) % every == 0 });
    }

    /// <summary>Program and share of the data for the forward passes alone.</summary>
    public (StepSpecification Specification, StepProgram Program, BatchView View) ForEvaluation(StepPlan plan) =>
        Make(KeyOf(plan) with { ForwardOnly = true });

    private (StepSpecification, StepProgram, BatchView) Make(Key key)
    {
        if (_made.TryGetValue(key, out var made))
            return made;
        var specification = SpecificationBuilder.Build(configuration, ranks, vocabulary, key.Sequences);
        specification = specification with
        {
            Model = specification.Model with { Context = key.Context },
            Checksum = key.Checksum,
            ForwardOnly = key.ForwardOnly,
        };
        ProgramChecker.Require(specification);
        var place = specification.Mesh.CoordinateOf(rank);
        long[] places = ContextPartition.Indices(key.Context, specification.Mesh.Context, place.Context);
        var view = new BatchView(specification, place.Data, places, configuration.Model.DocumentMask, link, key.RopeBase)
        {
            Objective = configuration.Objective,
        };
        return _made[key] = (specification, ProgramGenerator.Generate(specification, rank), view);
    }

    private Key KeyOf(StepPlan plan) => new(plan.Sequences, plan.Context, configuration.RopeBaseOf(plan.Phase));

    /// <summary>What the program of a step depends on, besides the configuration.</summary>
    private readonly record struct Key(int Sequences, int Context, double RopeBase, bool Checksum = false, bool ForwardOnly = false);
}
