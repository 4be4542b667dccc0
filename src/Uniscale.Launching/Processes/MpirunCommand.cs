using System.Globalization;
using Uniscale.Configuration.Loading;

namespace Uniscale.Launching.Processes;

/// <summary>The command line that starts a job; a pure function of the options and of the machine's facts.</summary>
/// <param name="IsOpenMpi">Whether mpirun is Open MPI's; else MPICH's options are used.</param>
/// <param name="IsRoot">Whether this process runs as root.</param>
/// <param name="Processors">Processors of this machine.</param>
public sealed record MpirunCommand(bool IsOpenMpi, bool IsRoot, int Processors)
{
    private static readonly string[] ForwardedPrefixes = ["UNISCALE_", "DOTNET_", "OMP_", "OPENBLAS_", "MKL_"];

    /// <summary>Threads of a rank when the options leave them open: ranks of this machine share its processors.</summary>
    public int ThreadsOf(LaunchOptions options) => options.Threads > 0 ? options.Threads : Math.Max(1, Processors / options.Ranks);

    /// <summary>Arguments of mpirun: its options, the guard of each rank, then the program and its arguments.</summary>
    /// <param name="options">The job.</param>
    /// <param name="program">The executable, with its own first arguments.</param>
    /// <param name="environment">All variables that this process has.</param>
    public IReadOnlyList<string> Arguments(
        LaunchOptions options,
        IReadOnlyList<string> program,
        IReadOnlyDictionary<string, string> environment
    )
    {
        var arguments = new List<string> { "-n", options.Ranks.ToString(CultureInfo.InvariantCulture) };
        if (options.HostFile is { } hosts)
            arguments.AddRange([IsOpenMpi ? "--hostfile" : "-f", hosts]);
        if (IsOpenMpi && IsRoot)
            arguments.Add("--allow-run-as-root");
        // Without its peers a rank has nothing to save, so mpirun need not wait a second between asking it to end and ending it.
        if (IsOpenMpi)
            arguments.AddRange(["--mca", "odls_base_sigkill_timeout", "0"]);
        if (IsOpenMpi && options.IsOneHost)
            arguments.AddRange(OneHost.OpenMpiOptions);
        AddPlacement(arguments, options);
        if (options.TagOutput)
            arguments.Add(IsOpenMpi ? "--tag-output" : "-prepend-rank");
        foreach (var (name, value) in Variables(options, environment).OrderBy(entry => entry.Key, StringComparer.Ordinal))
            arguments.AddRange(IsOpenMpi ? ["-x", $"{name}={value}"] : ["-genv", name, value]);
        // MPICH's passes on the whole environment by itself.
        if (IsOpenMpi)
            foreach (string name in Quiet(options, environment))
                arguments.AddRange(["-x", name]);
        arguments.AddRange(RankGuard.Command);
        arguments.AddRange(program);
        arguments.AddRange(options.Arguments);
        return arguments;
    }

    private void AddPlacement(List<string> arguments, LaunchOptions options)
    {
        int threads = ThreadsOf(options);
        bool fits = options.HostFile is not null || options.Ranks * threads <= Processors;
        bool bind = options.Binding == Binding.Core || (options.Binding == Binding.Auto && fits && options.HostFile is null && threads > 1);
        if (!IsOpenMpi)
        {
            if (bind)
                arguments.AddRange(["-bind-to", $"core:{threads}"]);
            return;
        }
        if (!fits)
            arguments.Add("--oversubscribe");
        arguments.AddRange(bind ? ["--map-by", $"slot:PE={threads}", "--bind-to", "core"] : ["--bind-to", "none"]);
    }

    /// <summary>Variables that are passed on by their names alone.</summary>
    private static IEnumerable<string> Quiet(LaunchOptions options, IReadOnlyDictionary<string, string> environment) =>
        environment
            .Keys.Where(name => options.Forwarded.Contains(name) || (IsAlwaysForwarded(name) && Reference.NamesSecret(name)))
            .Except(options.Environment.Keys)
            .Order(StringComparer.Ordinal);

    private static bool IsAlwaysForwarded(string name) =>
        ForwardedPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>Variables that must reach the ranks of other hosts too, and the number of threads.</summary>
    private Dictionary<string, string> Variables(LaunchOptions options, IReadOnlyDictionary<string, string> environment)
    {
        var variables = environment
            .Where(entry => IsAlwaysForwarded(entry.Key) && !Reference.NamesSecret(entry.Key) && !options.Forwarded.Contains(entry.Key))
            .ToDictionary(entry => entry.Key, entry => entry.Value);
        if (options.Threads > 0)
            variables.Remove("OMP_NUM_THREADS");
        variables.TryAdd("OMP_NUM_THREADS", ThreadsOf(options).ToString(CultureInfo.InvariantCulture));
        if (options.IsOneHost)
            // What the user has set is meant.
            foreach (var (name, value) in OneHost.Variables)
                variables.TryAdd(name, environment.GetValueOrDefault(name, value));
        foreach (var (name, value) in options.Environment)
            variables[name] = value;
        return variables;
    }
}
