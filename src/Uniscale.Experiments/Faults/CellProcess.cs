using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Uniscale.Training.Faults;

namespace Uniscale.Experiments.Faults;

/// <summary>A command line of this program in a process of its own: what happens to it must not happen to the matrix.</summary>
internal static class CellProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    /// <summary>
    /// Runs it to its end; beyond the limit, or when this process is asked to end, it is killed with all that it started.
    /// </summary>
    /// <param name="program">This executable, with its first arguments.</param>
    /// <param name="arguments">The rest.</param>
    /// <param name="limit">Longest time.</param>
    /// <param name="folder">Where it works; empty: where this process does.</param>
    /// <returns>Its exit code, null where it was killed at the limit, and all that it printed.</returns>
    /// <exception cref="OperationCanceledException">This process was asked to end.</exception>
    public static (int? ExitCode, string Output) Run(
        IReadOnlyList<string> program,
        IReadOnlyList<string> arguments,
        TimeSpan limit,
        string folder = ""
    )
    {
        var start = new ProcessStartInfo(program[0])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (string argument in program.Skip(1).Concat(arguments))
            start.ArgumentList.Add(argument);
        using var process = new Process { StartInfo = start };
        var output = new StringBuilder();
        process.OutputDataReceived += Take;
        process.ErrorDataReceived += Take;
        bool isCancelled = false;
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        bool hasEnded = process.WaitForExit(limit);
        if (!hasEnded)
            End(process);
        process.WaitForExit();
        if (isCancelled)
            throw new OperationCanceledException();
        lock (output)
            return (hasEnded ? process.ExitCode : null, output.ToString());

        void Take(object sender, DataReceivedEventArgs line)
        {
            lock (output)
                if (line.Data is not null)
                    output.AppendLine(line.Data);
        }

        void Cancel(PosixSignalContext context)
        {
            context.Cancel = true;
            isCancelled = true;
            End(process);
        }
    }

    /// <summary>
    /// Asks twice, as an impatient user does: the supervisor and mpirun then end their ranks, of which one that is just starting would be
    /// missed here.
    /// </summary>
    private static void End(Process process)
    {
        for (int asked = 0; asked < 2 && !process.HasExited; asked++)
        {
            ProcessSignal.ToProcess(process.Id, ProcessSignal.Terminate);
            if (process.WaitForExit(Patience))
                return;
        }
        if (!process.HasExited)
            process.Kill(entireProcessTree: true);
    }
}
