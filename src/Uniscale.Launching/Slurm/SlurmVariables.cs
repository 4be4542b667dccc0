namespace Uniscale.Launching.Slurm;

/// <summary>
/// What Slurm writes into the environment of a job, under the names of all its versions. Nobody else names these variables.
/// </summary>
/// <param name="variables">The environment.</param>
internal sealed class SlurmVariables(IReadOnlyDictionary<string, string> variables)
{
    private static readonly string[] JobNames = ["SLURM_JOB_ID", "SLURM_JOBID"],
        NodesNames = ["SLURM_JOB_NODELIST", "SLURM_NODELIST"];

    private const string TasksName = "SLURM_TASKS_PER_NODE",
        CoresName = "SLURM_CPUS_PER_TASK";

    /// <summary>Number of the job; null: this is none.</summary>
    public string? Job => First(JobNames);

    /// <summary>Its nodes, as a list of Slurm's; null: not said.</summary>
    public string? Nodes => First(NodesNames);

    /// <summary>Tasks of each node, as a list of Slurm's; null: not said.</summary>
    public string? TasksPerNode => Value(TasksName);

    /// <summary>Processors of a task; null: not said.</summary>
    public string? CoresOfTask => Value(CoresName);

    /// <summary>The task of a job array, as 12_3; null: it is none.</summary>
    public string? ArrayTask =>
        Value("SLURM_ARRAY_JOB_ID") is { } job && Value("SLURM_ARRAY_TASK_ID") is { } task ? $"{job}_{task}" : null;

    /// <summary>The job as it stands in the environment, for sentences.</summary>
    public string ShownJob => Shown(JobNames);

    /// <summary>The tasks as they stand in the environment, for sentences.</summary>
    public string ShownTasks => Shown([TasksName]);

    /// <summary>Name of the variable with the nodes, for sentences.</summary>
    public static string NodesName => NodesNames[0];

    /// <summary>What to unset where no job is, for sentences.</summary>
    public static string All => string.Join(' ', [.. JobNames, .. NodesNames]);

    private string Shown(string[] names) => names.Where(name => Value(name) is not null).Select(name => $"{name}={Value(name)}").FirstOrDefault("");

    private string? First(string[] names) => names.Select(Value).FirstOrDefault(value => value is not null);

    private string? Value(string name) => variables.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;
}
