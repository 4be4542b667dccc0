using Uniscale.Configuration;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Slurm;

/// <summary>Slurm's queue, as a user's commands see it.</summary>
public interface ISlurmQueue
{
    /// <summary>Queues a script.</summary>
    /// <param name="arguments">Arguments of sbatch.</param>
    /// <returns>Number of the job.</returns>
    /// <exception cref="UserErrorException">It is refused.</exception>
    string Submit(IReadOnlyList<string> arguments);

    /// <summary>Tasks of the user's job arrays that run or wait, as 12_3; null: Slurm does not answer.</summary>
    IReadOnlySet<string>? LiveTasks();
}

/// <summary>Slurm's queue by its commands.</summary>
public sealed class SlurmQueue : ISlurmQueue
{
    /// <summary>The task of a job array that this process belongs to, as 12_3; null: none.</summary>
    public static string? Task => new SlurmVariables(RankEnvironment.AllVariables()).ArrayTask;

    /// <inheritdoc/>
    public string Submit(IReadOnlyList<string> arguments)
    {
        var (code, output, error) = SlurmJob.Run("sbatch", ["--parsable", .. arguments]);
        if (code is null)
            throw new UserErrorException("There is no sbatch on PATH: submit from a machine of the cluster.");
        // With several clusters its name follows.
        return code == 0
            ? output.Trim().Split(';')[0]
            : throw new UserErrorException($"sbatch refuses the job: {error.Trim().Split('\n')[0].TrimEnd('.')}.");
    }

    /// <inheritdoc/>
    public IReadOnlySet<string>? LiveTasks()
    {
        var (code, output, _) = SlurmJob.Run("squeue", ["--noheader", "--array", "--me", "--format=%F_%K %T"]);
        return code != 0
            ? null
            : output
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Trim().Split(' '))
                .Where(words => words is [_, not "COMPLETING"])
                .Select(words => words[0])
                .ToHashSet();
    }
}
