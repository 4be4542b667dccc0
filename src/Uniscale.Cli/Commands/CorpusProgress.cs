using System.Diagnostics;

namespace Uniscale.Cli.Commands;

/// <summary>Says now and then how far work on a corpus came, how fast it is and how long it will take.</summary>
internal sealed class CorpusProgress(TextWriter console)
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(10);

    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Lock _gate = new();
    private TimeSpan _told;

    /// <summary>Tells it, where the last time is long enough ago.</summary>
    /// <param name="done">Bytes of files that are done.</param>
    /// <param name="all">Bytes of all files.</param>
    public void Tell(long done, long all)
    {
        lock (_gate)
        {
            var elapsed = Stopwatch.GetElapsedTime(_started);
            if (elapsed - _told < Between || done == 0 || done >= all)
                return;
            _told = elapsed;
            console.WriteLine(
                $"  {done / 1e6:0} of {all / 1e6:0} MB of files, {done / 1e6 / elapsed.TotalSeconds:0.0} MB/s, {elapsed * ((double)(all - done) / done):hh\\:mm\\:ss} to go"
            );
        }
    }

    /// <summary>Files as they are begun.</summary>
    public IEnumerable<string> Watch(IReadOnlyList<string> files)
    {
        long done = 0,
            all = files.Sum(file => new FileInfo(file).Length);
        foreach (string file in files)
        {
            Tell(done, all);
            yield return file;
            done += new FileInfo(file).Length;
        }
    }
}
