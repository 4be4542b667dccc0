using System.Diagnostics;
using Uniscale.Configuration;

namespace Uniscale.Fuzz;

/// <summary>What came of one target.</summary>
/// <param name="Target">Its name.</param>
/// <param name="Executions">Inputs read.</param>
/// <param name="Refused">Of them, refused in a sentence.</param>
/// <param name="Findings">What should not be, a line each.</param>
public sealed record FuzzResult(string Target, long Executions, long Refused, IReadOnlyList<string> Findings);

/// <summary>
/// Gives a target inputs until a time or a number is reached. The input under way lies in FOLDER/NAME/, so that one which ends the process
/// is there to see; one that
/// takes too long ends it with exit code 3.
/// </summary>
public sealed class FuzzRun(FuzzTarget target, string folder, int seed)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);
    private const long MostAllocated = 4L << 30;
    private const int MostFindings = 20;

    private readonly string _folder = Directory.CreateDirectory(Path.Combine(folder, target.Name)).FullName;
    private readonly List<string> _findings = [];
    private long _refused;

    /// <summary>Runs.</summary>
    public FuzzResult Run(TimeSpan time, long executions = long.MaxValue)
    {
        var corpus = target.Corpus(_folder);
        var mutator = new Mutator(seed, target.Words);
        string path = Path.Combine(_folder, target.FileName);
        var clock = Stopwatch.StartNew();
        long done = 0;
        for (; done < executions && clock.Elapsed < time && _findings.Count < MostFindings; done++)
        {
            byte[] input = done < corpus.Count ? corpus[(int)done] : mutator.Next(corpus);
            File.WriteAllBytes(path, input);
            if (Problem(path) is { } problem)
                Keep(input, problem);
        }
        return new FuzzResult(target.Name, done, _refused, _findings);
    }

    private string? Problem(string path)
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        using var watchdog = new Timer(
            _ =>
            {
                Console.Error.WriteLine($"{target.Name}: an input takes more than {Longest.TotalSeconds} s; it lies in {path}");
                Environment.Exit(3);
            },
            null,
            Longest,
            Timeout.InfiniteTimeSpan
        );
        try
        {
            target.Read(path);
        }
        catch (UserErrorException error)
        {
            _refused++;
            return error.Message.Contains('\n', StringComparison.Ordinal)
                ? $"a refusal of several lines: {error.Message.Split('\n')[0]}"
                : null;
        }
        catch (Exception error)
        {
            return $"{error.GetType().Name}: {error.Message.Split('\n')[0]} {error.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("Uniscale.", StringComparison.Ordinal))?.Trim()}";
        }
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        return allocated > MostAllocated ? $"{allocated >> 20} MiB allocated for {new FileInfo(path).Length} bytes" : null;
    }

    private void Keep(byte[] input, string problem)
    {
        string kept = Path.Combine(_folder, $"finding-{_findings.Count:D2}");
        File.WriteAllBytes(kept, input);
        _findings.Add($"{problem} ({kept})");
    }
}
