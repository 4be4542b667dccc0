using System.ComponentModel;
using System.Diagnostics;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Slurm;

/// <summary>What is asked of Slurm about the job that this process belongs to.</summary>
/// <param name="id">Number of the job.</param>
public sealed class SlurmJob(string id)
{
    /// <summary>Name of the file in a launch folder with the number of the step that runs the ranks.</summary>
    internal const string StepFileName = "slurm-step";

    /// <summary>Number of the job.</summary>
    public string Id { get; } = id;

    /// <summary>The job that this process belongs to; null: none.</summary>
    public static SlurmJob? Current => new SlurmVariables(RankEnvironment.AllVariables()).Job is { } id ? new SlurmJob(id) : null;

    /// <summary>The job runs and nobody has cancelled it or queued it again: Slurm says COMPLETING as soon as somebody has.</summary>
    public bool IsRunning => Ask("squeue", "--noheader", $"--job={Id}", "--format=%T") is { } state && state.Trim() == "RUNNING";

    /// <summary>Queues the job again; Slurm ends this process soon after.</summary>
    /// <returns>Whether Slurm has.</returns>
    public bool Requeue() => Ask("scontrol", "requeue", Id) is not null;

    /// <summary>Ends all tasks of a step at once, on all nodes.</summary>
    /// <param name="folder">Launch folder of the attempt.</param>
    /// <returns>False where no step has begun.</returns>
    internal static bool KillStep(string folder)
    {
        string file = Path.Combine(folder, StepFileName);
        return File.Exists(file)
            && File.ReadAllText(file).Trim() is { Length: > 0 } step
            && Ask("scancel", "--signal=KILL", step) is not null;
    }

    /// <summary>Those of some nodes that Slurm has lost: they do not answer, or are down.</summary>
    public static IReadOnlyList<string> LostNodes(IReadOnlyList<string> nodes)
    {
        if (
            nodes.Count == 0
            || Ask("sinfo", "--noheader", "--Node", $"--nodes={string.Join(',', nodes)}", "--format=%N %T") is not { } states
        )
            return [];
        return
        [
            .. states
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Trim().Split(' '))
                .Where(words => words.Length == 2 && IsLost(words[1]))
                .Select(words => words[0])
                .Distinct(),
        ];
    }

    /// <summary>
    /// Whether a node's state, as sinfo writes it, says that no task can run there; a star means that it does not answer.
    /// </summary>
    internal static bool IsLost(string state) =>
        state.EndsWith('*')
        || state.StartsWith("down", StringComparison.OrdinalIgnoreCase)
        || state.StartsWith("fail", StringComparison.OrdinalIgnoreCase)
        || state.StartsWith("powered_down", StringComparison.OrdinalIgnoreCase);

    private static string? Ask(string program, params string[] arguments) => Run(program, arguments) is (0, var output, _) ? output : null;

    /// <summary>Runs one of Slurm's commands.</summary>
    /// <returns>Its exit code, null where there is no such command, and what it said.</returns>
    internal static (int? Code, string Output, string Error) Run(string program, IReadOnlyList<string> arguments)
    {
        try
        {
            using var process = Process.Start(
                new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
            )!;
            var error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result);
        }
        catch (Win32Exception)
        {
            return (null, "", "");
        }
    }
}
