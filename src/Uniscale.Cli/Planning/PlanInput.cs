using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Experiments.Verification;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Memory;
using Uniscale.Programs;
using Uniscale.Training.Feeding;

namespace Uniscale.Cli.Planning;

/// <summary>What every planning command reads: a configuration, a cluster, the software on it, and a number of ranks.</summary>
internal sealed class PlanInput
{
    /// <summary>Cluster of configurations that train on GPUs, where none is named: the nodes of InternLM's publications.</summary>
    public const string DefaultCluster = "a100-80-roce";

    /// <summary>
    /// Where <c>uniscale plan calibrate</c> leaves what it measured, and commands look for the cluster of a configuration that trains on
    /// CPUs.
    /// </summary>
    public const string ThisMachine = "this-machine.yaml";

    private readonly ConfigurationInput _configuration;

    private readonly Option<string> _cluster = new("--cluster")
    {
        Description =
            $"Cluster by name ({string.Join(", ", ClusterCatalog.Names)}) or file; default: {DefaultCluster} for GPUs, {ThisMachine} for CPUs.",
        HelpName = "NAME|FILE",
    };

    private readonly Option<string> _stack = new("--stack")
    {
        Description = "Software on the cluster, by its name in the cluster's file; default: the first.",
        HelpName = "NAME",
    };

    private readonly Option<int?> _ranks = new("--gpus", "--ranks")
    {
        Description = "Number of ranks; default: as many as the layout names.",
    };

    private readonly Option<string[]> _phaseLayouts = new("--phase-layout")
    {
        Description =
            "Layout of a phase that the run is resumed with, e.g. long='tp8 pp4 cp4 zero1' (may be given again); the words are those of verify --layouts.",
        HelpName = "PHASE=LAYOUT",
        DefaultValueFactory = _ => [],
    };

    /// <summary>Options of a planning command.</summary>
    /// <param name="command">Receives them.</param>
    /// <param name="required">Whether a configuration must be named.</param>
    /// <param name="wholeRun">Whether it plans all phases of a run.</param>
    public PlanInput(Command command, bool required = true, bool wholeRun = false)
    {
        if (wholeRun)
            command.Add(_phaseLayouts);
        _configuration = new ConfigurationInput(command, required);
        command.Add(_cluster);
        command.Add(_stack);
        command.Add(_ranks);
    }

    /// <summary>Reads the configuration.</summary>
    public RunConfiguration Configuration(ParseResult parsed) => _configuration.Load(parsed).Value;

    /// <summary>Path of the configuration.</summary>
    public string File(ParseResult parsed) => _configuration.File(parsed)!;

    /// <summary>The number of ranks asked for; 0: as the layout says.</summary>
    public int Ranks(ParseResult parsed) =>
        parsed.GetValue(_ranks) switch
        {
            null => 0,
            < 1 and var wrong => throw new UserErrorException($"--gpus {wrong} is not a number of GPUs: give 1 or more."),
            { } ranks => ranks,
        };

    /// <summary>The cluster and its software.</summary>
    public (Cluster Cluster, StackSection Stack) Cluster(ParseResult parsed, RunConfiguration config)
    {
        string? name = parsed.GetValue(_cluster);
        if (name is null && config.Train.Device == "cpu" && !System.IO.File.Exists(ThisMachine))
            throw new UserErrorException(
                $"{_configuration.File(parsed)} trains on CPUs, and there is no {ThisMachine} here: measure this machine with uniscale plan calibrate, or name a cluster with --cluster."
            );
        var cluster = ClusterCatalog.Load(name ?? (config.Train.Device == "cpu" ? ThisMachine : DefaultCluster));
        return (cluster, cluster.StackOf(parsed.GetValue(_stack) ?? ""));
    }

    /// <summary>
    /// Layouts of phases that have their own, by phase. Replicas that a layout does not name are as many as the ranks allow.
    /// </summary>
    public IReadOnlyDictionary<string, ParallelSection> PhaseLayouts(ParseResult parsed)
    {
        var layouts = new Dictionary<string, ParallelSection>(StringComparer.Ordinal);
        foreach (string given in parsed.GetValue(_phaseLayouts) ?? [])
        {
            int at = given.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0)
                throw new UserErrorException($"--phase-layout {given} names no phase: write PHASE=LAYOUT, for example long='tp8 pp4 cp4'.");
            string text = given[(at + 1)..];
            var layout = LayoutSpec.Parse(text).Parallel;
            bool namesReplicas = text.Split(' ').Any(word => word.StartsWith("dp", StringComparison.Ordinal));
            layouts[given[..at]] = namesReplicas ? layout : layout with { Data = 0 };
        }
        return layouts;
    }

    /// <summary>Layouts of steps of a configuration, for the planner.</summary>
    public static Func<RunConfiguration, int, StepSpecification> SpecOf(RunConfiguration config, int ranks)
    {
        int vocabulary = config.Model.Vocabulary > 0 ? config.Model.Vocabulary : TrainingData.VocabularyOf(config);
        return (changed, globalBatch) => SpecificationBuilder.Build(changed, ranks, vocabulary, globalBatch);
    }

    /// <summary>Memory of one rank of each stage where ranks are processes that train on CPUs.</summary>
    public static IReadOnlyList<RankMemory> HostMemoryOfStages(RunConfiguration config, StepSpecification spec, Cluster cluster)
    {
        var account = new HostAccount(spec, cluster, config.Checkpoint.Async, threads: false);
        return [.. spec.Mesh.GroupOf(0, Axis.Pipeline).Select(account.Of)];
    }

    /// <summary>Refuses more ranks than the cluster has.</summary>
    public static void CheckSize(StepSpecification spec, Cluster cluster)
    {
        if (cluster.Gpus is { } there && spec.Mesh.Size > there)
            throw new UserErrorException(
                $"The layout needs {spec.Mesh.Size} GPUs but cluster {cluster.Name} has {there:0}: lower parallel.data or --gpus, or name a larger cluster with --cluster."
            );
    }
}
