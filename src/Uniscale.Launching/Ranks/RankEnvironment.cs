using System.Collections;
using System.Globalization;
using System.Text;
using Uniscale.Configuration;

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
public sealed record RankEnvironment(LauncherKind Launcher, int Rank, int WorldSize, int LocalRank, int LocalSize, string Host)
{
    /// <summary>
    /// Looked at in this order; the first whose size is set decides. srun with Open MPI's own variables is Open MPI's job, and a shell
    /// inside a Slurm allocation that is not a step is nobody's.
    /// </summary>
    private static readonly Convention[] Conventions =
    [
        new(LauncherKind.OpenMpi, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
        new(LauncherKind.Mpich, "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
        new(LauncherKind.Slurm, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"),
        new(LauncherKind.Torchrun, "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    ];

    /// <summary>True if a launcher started several processes or this one of one.</summary>
    public bool IsLaunched => Launcher != LauncherKind.Plain;

    /// <summary>Reads the environment of this process.</summary>
    public static RankEnvironment Detect()
    {
        var variables = new Dictionary<string, string>();
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables()) variables[(string)entry.Key] = (string?)entry.Value ?? "";
        return Detect(variables);
    }

    /// <summary>Reads an environment; a launcher's variables that do not fit together are a <see cref="UserErrorException"/>.</summary>
    public static RankEnvironment Detect(IReadOnlyDictionary<string, string> variables)
    {
        string host = Environment.MachineName;
        foreach (var convention in Conventions)
        {
            if (!variables.ContainsKey(convention.Size)) continue;
            int size = convention.Number(variables, convention.Size, minimum: 1);
            int rank = convention.Number(variables, convention.Rank, minimum: 0);
            if (rank >= size) throw convention.Broken($"{convention.Rank}={rank} is not below {convention.Size}={size}");
            int localRank = variables.ContainsKey(convention.LocalRank) ? convention.Number(variables, convention.LocalRank, minimum: 0) : rank;
            int localSize = variables.ContainsKey(convention.LocalSize) ? convention.Number(variables, convention.LocalSize, minimum: 1) : size;
            return new(convention.Launcher, rank, size, localRank, localSize, host);
        }
        return new(LauncherKind.Plain, 0, 1, 0, 1, host);
    }

    /// <summary>The resolved place, with what the other launchers' variables say: what to read when a job starts with the wrong size.</summary>
    public string ToTable(IReadOnlyDictionary<string, string>? variables = null)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"launcher",-10} {"rank",8} {"world",8} {"local",8} {"on host",8}");
        text.AppendLine(CultureInfo.InvariantCulture, $"{Launcher,-10} {Rank,8} {WorldSize,8} {LocalRank,8} {LocalSize,8}   {Host}   <- used");
        foreach (var convention in Conventions.Where(convention => convention.Launcher != Launcher))
        {
            string Value(string name) =>
                (variables is null ? Environment.GetEnvironmentVariable(name) : variables.GetValueOrDefault(name)) is { Length: > 0 } value ? value : "-";
            text.AppendLine(CultureInfo.InvariantCulture,
                $"{convention.Launcher,-10} {Value(convention.Rank),8} {Value(convention.Size),8} {Value(convention.LocalRank),8} {Value(convention.LocalSize),8}");
        }
        return text.ToString();
    }

    private sealed record Convention(LauncherKind Launcher, string Rank, string Size, string LocalRank, string LocalSize)
    {
        public int Number(IReadOnlyDictionary<string, string> variables, string name, int minimum)
        {
            if (!variables.TryGetValue(name, out string? text)) throw Broken($"{name} is not set");
            // Slurm writes "2(x3)" where several hosts have as many tasks; this host's count is the first number or one like it.
            string digits = Launcher == LauncherKind.Slurm ? text.Split('(', ',')[0] : text;
            if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= minimum) return value;
            throw Broken($"{name}={text} is not a number of at least {minimum}");
        }

        public UserErrorException Broken(string what) => new(
            $"The environment looks like a rank started by {Launcher}, but {what}: start the job with mpirun or srun, or unset {Size}.");
    }
}
