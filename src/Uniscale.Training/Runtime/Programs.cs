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
    private readonly Dictionary<(int Sequences, int Context, double RopeBase, bool Checksum), (StepSpecification, StepProgram, BatchView)> _made = [];

    /// <summary>The layout with the configuration's own batch and context.</summary>
    public StepSpecification Base { get; } = SpecificationBuilder.Build(configuration, ranks, vocabulary);

    /// <summary>Program and share of the data for a step.</summary>
    /// <param name="plan">What the step is made of.</param>
    /// <param name="step">Its number, from 0: every so many compare their replicas.</param>
    public (StepSpecification Specification, StepProgram Program, BatchView View) For(StepPlan plan, long step)
    {
        int every = configuration.Train.ChecksumEvery;
        var key = (plan.Sequences, plan.Context, RopeBase: configuration.RopeBaseOf(plan.Phase), Checksum: every > 0 && (step + 1) % every == 0);
        if (_made.TryGetValue(key, out var made)) return made;
        var specification = SpecificationBuilder.Build(configuration, ranks, vocabulary, plan.Sequences);
        specification = specification with { Model = specification.Model with { Context = plan.Context }, Checksum = key.Checksum };
        ProgramChecker.Require(specification);
        var place = specification.Mesh.CoordinateOf(rank);
        var places = ContextPartition.Indices(plan.Context, specification.Mesh.Context, place.Context);
        var view = new BatchView(specification, place.Data, places, configuration.Model.DocumentMask, link, key.RopeBase);
        return _made[key] = (specification, ProgramGenerator.Generate(specification, rank), view);
    }
}
