using System.Diagnostics;
using System.Runtime.InteropServices;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Ranks;

/// <summary>
/// Everything that asks a rank to save and end: SIGTERM (pre-emption), SIGINT (Ctrl-C), SIGUSR1 (what mpirun passes on from
/// <c>uniscale launch</c>) and a stop file, for people who may not signal the job. A second signal ends the process at once. A save file
/// asks to
/// save and go on.
/// </summary>
public sealed class StopSignals : IDisposable
{
    /// <summary>Name of the stop file in the run directory.</summary>
    public const string StopFileName = "stop";

    /// <summary>Name of the save file in the run directory; it is taken away when it is seen.</summary>
    public const string SaveFileName = "save";

    private const PosixSignal UserSignal1 = (PosixSignal)10;

    /// <summary>
    /// Slurm signals all processes of a job, and srun passes its own signal on to the ranks once more: within this time that is one
    /// request.
    /// </summary>
    private static readonly TimeSpan SameRequest = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan FilePoll = TimeSpan.FromSeconds(1);

    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Action _ask;
    private readonly Action? _askSave;
    private readonly string? _runDirectory;
    private readonly Timer? _timer;
    private readonly bool _isSlurms = Environment.GetEnvironmentVariable("SLURM_STEP_ID") is not null;
    private long _lastSignal;
    private int _signalCount;

    /// <param name="ask">Called from another thread, once for every way of asking.</param>
    /// <param name="runDirectory">Where the stop file and the save file are looked for; null: nowhere.</param>
    /// <param name="askSave">Called from another thread for every save file; null: there is nothing to save.</param>
    public StopSignals(Action ask, string? runDirectory = null, Action? askSave = null)
    {
        (_ask, _askSave, _runDirectory) = (ask, askSave, runDirectory);
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, UserSignal1])
            _registrations.Add(PosixSignalRegistration.Create(signal, OnSignal));
        if (runDirectory is null)
            return;
        _timer = new Timer(_ => LookForFiles(), null, FilePoll, FilePoll);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer?.Dispose();
        _registrations.ForEach(registration => registration.Dispose());
    }

    private void OnSignal(PosixSignalContext context)
    {
        // mpirun sends SIGTERM to ranks that it is about to kill; waiting for the others then would be in vain, and it kills soon.
        bool isSame = IsSameRequest();
        context.Cancel = Interlocked.Increment(ref _signalCount) == 1 || isSame || context.Signal == UserSignal1;
        // Batch systems signal the ranks and not their launcher, who would take their end for that of the run.
        LaunchFolder.OfThisJob()?.SayAsked();
        _ask();
    }

    private bool IsSameRequest()
    {
        long before = Interlocked.Exchange(ref _lastSignal, Stopwatch.GetTimestamp());
        return _isSlurms && before != 0 && Stopwatch.GetElapsedTime(before) < SameRequest;
    }

    private void LookForFiles()
    {
        if (File.Exists(Path.Combine(_runDirectory!, StopFileName)))
            _ask();
        if (_askSave is not null && TakeSaveFile())
            _askSave();
    }

    /// <summary>Every rank looks; the one that can rename the file asks for all.</summary>
    private bool TakeSaveFile()
    {
        string file = Path.Combine(_runDirectory!, SaveFileName),
            taken = $"{file}.{Environment.MachineName}.{Environment.ProcessId}";
        if (!File.Exists(file))
            return false;
        try
        {
            File.Move(file, taken);
            File.Delete(taken);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
