using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Ranks;

/// <summary>Who started this process.</summary>
public enum LauncherKind
{
    /// <summary>Nobody in particular: a job of one process.</summary>
    Plain,

    /// <summary>Open MPI's mpirun.</summary>
    OpenMpi,

    /// <summary>MPICH's mpiexec, or another that speaks PMI.</summary>
    Mpich,

    /// <summary>Slurm's srun.</summary>
    Slurm,

    /// <summary>torchrun, or another that sets RANK and WORLD_SIZE.</summary>
    Torchrun,
}

/// <summary>This process's place in its job, as the launcher's environment tells it.</summary>
/// <param name="Launcher">Who started it.</param>
/// <param name="Rank">World rank.</param>
/// <param name="WorldSize">Ranks of the job.</param>
/// <param name="LocalRank">Place among the ranks of this host.</param>
/// <param name="LocalSize">Ranks of this host.</param>
/// <param name="Host">Name of this host.</param>
public sealed partial record RankEnvironment(LauncherKind Launcher, int Rank, int WorldSize, int LocalRank, int LocalSize, string Host)
{
    private const string SlurmSize = "SLURM_STEP_NUM_TASKS",
        SlurmNode = "SLURM_NODEID";

    /// <summary>
    /// Looked at in this order; the first whose size is set decides. srun with Open MPI's own variables is Open MPI's job, and a shell
    /// inside a Slurm allocation is nobody's, a step of one task or none.
    /// </summary>
    private static readonly Convention[] Conventions =
    [
        new(
            LauncherKind.OpenMpi,
            "OMPI_COMM_WORLD_RANK",
            "OMPI_COMM_WORLD_SIZE",
            "OMPI_COMM_WORLD_LOCAL_RANK",
            "OMPI_COMM_WORLD_LOCAL_SIZE"
        ),
        new(LauncherKind.Mpich, "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
        new(LauncherKind.Slurm, "SLURM_PROCID", SlurmSize, "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"),
        new(LauncherKind.Torchrun, "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    ];

    /// <summary>True if a launcher started several processes or this one of one.</summary>
    public bool IsLaunched => Launcher != LauncherKind.Plain;

    /// <summary>Reads the environment of this process.</summary>
    public static RankEnvironment Detect() => Detect(AllVariables());

    /// <summary>All variables that this process has.</summary>
    internal static Dictionary<string, string> AllVariables()
    {
        var variables = new Dictionary<string, string>();
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
            variables[(string)entry.Key] = (string?)entry.Value ?? "";
        return variables;
    }

    /// <summary>
    /// Takes the place in a job out of the environment of an mpirun that starts another: the one that it gives its ranks may have other
    /// names.
    /// </summary>
    internal static void Clear(IDictionary<string, string?> variables)
    {
        foreach (
            var (_, rank, size, localRank, localSize) in Conventions.Where(convention =>
                convention.Launcher is LauncherKind.OpenMpi or LauncherKind.Mpich
            )
        )
            foreach (string name in (string[])[rank, size, localRank, localSize])
                variables.Remove(name);
    }

    /// <summary>Reads an environment; a launcher's variables that do not fit together are a <see cref="UserErrorException"/>.</summary>
    public static RankEnvironment Detect(IReadOnlyDictionary<string, string> variables)
    {
        string host = Environment.MachineName;
        foreach (var convention in Conventions)
        {
            if (!variables.ContainsKey(convention.Size) || IsShell(convention, variables))
                continue;
            int size = convention.Number(variables, convention.Size, minimum: 1);
            int rank = convention.Number(variables, convention.Rank, minimum: 0);
            if (rank >= size)
                throw convention.Broken($"{convention.Rank}={rank} is not below {convention.Size}={size}");
            // srun speaks PMI and leaves the place on the host to its own variables.
            var local =
                convention.Launcher == LauncherKind.Mpich && !variables.ContainsKey(convention.LocalRank)
                    ? Conventions.Single(other => other.Launcher == LauncherKind.Slurm)
                    : convention;
            int localRank = variables.ContainsKey(local.LocalRank) ? local.Number(variables, local.LocalRank, minimum: 0) : rank;
            int localSize = variables.ContainsKey(local.LocalSize) ? local.Local(variables) : size;
            if (localRank >= localSize)
                throw local.Broken($"{local.LocalRank}={localRank} is not below the {localSize} ranks of this host");
            if (localSize > size)
                throw local.Broken($"{local.LocalSize}={localSize} is more than {convention.Size}={size}");
            return new(convention.Launcher, rank, size, localRank, localSize, host);
        }
        return new(LauncherKind.Plain, 0, 1, 0, 1, host);
    }

    /// <summary>
    /// Whether the variables are those of a shell as much as of a rank: <c>srun --pty bash</c> and an allocation's first shell are steps of
    /// one task, with PMI's
    /// variables where that is Slurm's default, and pods have torchrun's. A process that is alone needs no launcher; it may have ranks of
    /// its own.
    /// </summary>
    private static bool IsShell(Convention convention, IReadOnlyDictionary<string, string> variables) =>
        variables[convention.Size] == "1"
        && !variables.ContainsKey(LaunchFolder.Variable)
        && convention.Launcher switch
        {
            LauncherKind.Slurm or LauncherKind.Torchrun => true,
            LauncherKind.Mpich => variables.GetValueOrDefault(SlurmSize) == "1",
            _ => false,
        };

    /// <summary>The variable that makes this process a rank of a job.</summary>
    internal string SizeVariable => Conventions.Single(convention => convention.Launcher == Launcher).Size;

    /// <summary>
    /// The resolved place, with what the other launchers' variables say: what to read when a job starts with the wrong size.
    /// </summary>
    public string ToTable(IReadOnlyDictionary<string, string>? variables = null)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"launcher",-10} {"rank",8} {"world",8} {"local",8} {"on host",8}");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{Launcher,-10} {Rank,8} {WorldSize,8} {LocalRank,8} {LocalSize,8}   {Host}   <- used"
        );
        foreach (var convention in Conventions.Where(convention => convention.Launcher != Launcher))
        {
            string Value(string name) =>
                (variables is null ? Environment.GetEnvironmentVariable(name) : variables.GetValueOrDefault(name)) is { Length: > 0 } value
                    ? value
                    : "-";
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"{convention.Launcher,-10} {Value(convention.Rank),8} {Value(convention.Size),8} {Value(convention.LocalRank),8} {Value(convention.LocalSize),8}"
            );
        }
        return text.ToString();
    }

    private sealed partial record Convention(LauncherKind Launcher, string Rank, string Size, string LocalRank, string LocalSize)
    {
        public int Number(IReadOnlyDictionary<string, string> variables, string name, int minimum)
        {
            if (!variables.TryGetValue(name, out string? text))
                throw Broken($"{name} is not set");
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= minimum)
                return value;
            throw Broken($"{name}={text} is not a number of at least {minimum}");
        }

        /// <summary>Ranks of this host. Slurm gives those of all its nodes in one, 4(x2),3 for 4, 4 and 3.</summary>
        public int Local(IReadOnlyDictionary<string, string> variables)
        {
            if (Launcher != LauncherKind.Slurm)
                return Number(variables, LocalSize, minimum: 1);
            int node = variables.ContainsKey(SlurmNode) ? Number(variables, SlurmNode, minimum: 0) : 0;
            foreach (string part in variables[LocalSize].Split(','))
            {
                var match = NodeTasks().Match(part);
                if (!match.Success)
                    throw Broken($"{LocalSize}={variables[LocalSize]} is not a list like 4(x2),3");
                node -= match.Groups["nodes"].Success ? int.Parse(match.Groups["nodes"].Value, CultureInfo.InvariantCulture) : 1;
                if (node < 0)
                    return int.Parse(match.Groups["tasks"].Value, CultureInfo.InvariantCulture);
            }
            throw Broken($"{SlurmNode}={variables[SlurmNode]} is beyond the nodes of {LocalSize}={variables[LocalSize]}");
        }

        [GeneratedRegex(@"^(?<tasks>[1-9]\d{0,6})(\(x(?<nodes>[1-9]\d{0,6})\))?$", RegexOptions.ExplicitCapture)]
        private static partial Regex NodeTasks();

        public UserErrorException Broken(string what) =>
            new(
                $"The environment looks like a rank started by {Launcher}, but {what}: start the job with mpirun or srun, or unset {Size}."
            );
    }
}
