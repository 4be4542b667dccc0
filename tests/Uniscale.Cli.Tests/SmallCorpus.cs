using System.Diagnostics;
using Uniscale.Data;

namespace Uniscale.Cli.Tests;

/// <summary>
/// A folder with tokens and a configuration whose steps take milliseconds, for commands that are started as processes and killed.
/// </summary>
internal sealed class SmallCorpus : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    private readonly TemporaryFolder _folder = new();

    public SmallCorpus()
    {
        var random = new Random(5);
        using (var writer = new ShardWriter(In("corpus"), 64))
        {
            for (int document = 0; document < 200; document++)
            {
                int start = random.Next(64);
                writer.Add([.. Enumerable.Range(0, 40).Select(i => (start + i * (1 + start % 3)) % 64)]);
            }
            writer.Complete();
        }
        File.WriteAllText(
            In("base.yaml"),
            $$"""
            run_directory: {{In("run")}}
            model: { layers: 1, hidden: 16, heads: 2, ffn: 32, context: 16, vocabulary: 64 }
            data:
              sources: [{ name: corpus, shards: ["{{In("corpus")}}"] }]
              validation: [{ name: held-out, shards: ["{{In("corpus")}}"] }]
            batch: { global: 4 }
            train: { steps: 8 }
            evaluation: { every: 2, sequences: 4 }
            logging: { tensor_board: false, peak_flops: 1G }
            """
        );
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>A path in the folder.</summary>
    public string In(string path) => _folder.In(path);

    /// <summary>Starts the program.</summary>
    public static Process Start(params string[] arguments) => Start([], arguments);

    /// <summary>Runs the program to its end with more in its environment, and returns its exit code and what it said.</summary>
    public static (int Code, string Output, string Error) Uniscale((string Name, string Value)[] environment, params string[] arguments)
    {
        using var process = Start(environment, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(Limit), "the process does not end");
        return (process.ExitCode, output.Result, error.Result);
    }

    private static Process Start((string Name, string Value)[] environment, string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "uniscale"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Waits for the end of a process in order, and returns what it said.</summary>
    public static string End(Process process)
    {
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(Limit), "the process does not end");
        Assert.True(process.ExitCode == 0, error.Result + output.Result);
        return error.Result;
    }

    /// <summary>Waits for something to come.</summary>
    public static void Wait(Func<bool> until)
    {
        var watch = Stopwatch.StartNew();
        while (!until())
        {
            Assert.True(watch.Elapsed < Limit, "it does not come");
            Thread.Sleep(20);
        }
    }
}
