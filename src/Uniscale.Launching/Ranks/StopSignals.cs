using System.Runtime.InteropServices;

namespace Uniscale.Launching.Ranks;

/// <summary>
/// Everything that asks a rank to save and end: SIGTERM (pre-emption), SIGINT (Ctrl-C), SIGUSR1 (what mpirun passes on from
/// <c>uniscale launch</c>) and a stop file, for people who may not signal the job. A second signal ends the process at once.
/// </summary>
public sealed class StopSignals : IDisposable
{
    /// <summary>Name of the stop file in the run directory.</summary>
    public const string StopFileName = "stop";

    private const PosixSignal UserSignal1 = (PosixSignal)10;

    private static readonly TimeSpan FilePoll = TimeSpan.FromSeconds(1);

    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Action _ask;
    private readonly string? _stopFile;
    private readonly Timer? _timer;
    private int _signalCount;

    /// <param name="ask">Called from another thread, once for every way of asking.</param>
    /// <param name="runDirectory">Where the stop file is looked for; null: nowhere.</param>
    public StopSignals(Action ask, string? runDirectory = null)
    {
        _ask = ask;
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, UserSignal1])
            _registrations.Add(PosixSignalRegistration.Create(signal, OnSignal));
        if (runDirectory is null) return;
        _stopFile = Path.Combine(runDirectory, StopFileName);
        _timer = new Timer(_ => LookForFile(), null, FilePoll, FilePoll);
    }

    public void Dispose()
    {
        _timer?.Dispose();
        _registrations.ForEach(registration => registration.Dispose());
    }

    private void OnSignal(PosixSignalContext context)
    {
        // mpirun sends SIGTERM to ranks that it is about to kill; waiting for the others then would be in vain, and it kills soon.
        context.Cancel = Interlocked.Increment(ref _signalCount) == 1 || context.Signal == UserSignal1;
        _ask();
    }

    private void LookForFile()
    {
        if (File.Exists(_stopFile)) _ask();
    }
}
