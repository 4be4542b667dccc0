using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;

namespace Uniscale.Experiments.Sweeps;

/// <summary>Where one run of a sweep goes, as long as it runs: no other has the same devices or slots.</summary>
/// <param name="Devices">CUDA devices that it sees, as CUDA_VISIBLE_DEVICES names them; empty: all, or none is needed.</param>
/// <param name="Hosts">Hosts of its ranks; null: this machine.</param>
public sealed record SweepPlace(IReadOnlyList<string> Devices, HostFile? Hosts)
{
    /// <summary>The variable by which CUDA hides the other devices.</summary>
    public const string DevicesVariable = "CUDA_VISIBLE_DEVICES";

    /// <summary>Variables of the run.</summary>
    public IReadOnlyDictionary<string, string> Environment =>
        Devices.Count == 0 ? new Dictionary<string, string>() : new() { [DevicesVariable] = string.Join(',', Devices) };

    /// <summary>In words; empty: anywhere on this machine.</summary>
    public string Title =>
        string.Join(
            ' ',
            (
                (string[])
                    [
                        Hosts is null ? "" : string.Join(", ", Hosts.Lines.Select(line => line.Text)),
                        Devices.Count == 0 ? "" : $"{DevicesVariable}={string.Join(',', Devices)}",
                    ]
            ).Where(text => text.Length > 0)
        );
}

/// <summary>Divides processors, devices and hosts among the runs of a sweep that go side by side.</summary>
public static class SweepPlaces
{
    private const string Cuda = "cuda";

    /// <summary>The places of a sweep; as many runs go side by side.</summary>
    /// <param name="plan">The sweep.</param>
    /// <param name="jobs">Runs side by side that the user wants; null: as many as there is room for.</param>
    /// <exception cref="UserErrorException">There is no room for one run, or for as many as are wanted.</exception>
    public static IReadOnlyList<SweepPlace> Of(SweepPlan plan, int? jobs)
    {
        if (jobs < 1)
            throw new UserErrorException($"--jobs {jobs} is not a number of runs: give 1 or more.");
        var sweep = plan.Sweep;
        bool isCuda = plan.Runs.Any(run => run.Device == Cuda);
        if (sweep.Hosts is { } file)
            return Limited(OnHosts(HostsOf(sweep, file), sweep.Ranks, isCuda), jobs, "hosts");
        if (isCuda || sweep.Devices.Count > 0)
            return Limited(OnDevices(sweep.Devices.Count > 0 ? sweep.Devices : Visible(), sweep.Ranks), jobs, "devices");
        return [.. Enumerable.Range(0, jobs ?? OnCores(sweep)).Select(_ => new SweepPlace([], null))];
    }

    private static int OnCores(SweepConfiguration sweep)
    {
        int cores = sweep.Cores > 0 ? sweep.Cores : Environment.ProcessorCount,
            needed = sweep.Ranks * sweep.Threads;
        return needed <= cores
            ? cores / needed
            : throw new UserErrorException(
                $"A run of {sweep.Ranks} ranks with {sweep.Threads} threads needs {needed} cores, but there are {cores}: lower ranks or threads, raise cores, or give --jobs."
            );
    }

    /// <summary>Each rank has one device.</summary>
    internal static IReadOnlyList<SweepPlace> OnDevices(IReadOnlyList<string> devices, int ranks)
    {
        if (devices.Distinct().Count() < devices.Count)
            throw new UserErrorException($"devices names one twice ({string.Join(", ", devices)}): runs would share it.");
        if (devices.Count < ranks)
            throw new UserErrorException(
                $"A run of {ranks} ranks needs {ranks} devices, but there are {devices.Count}{(devices.Count == 0 ? "" : $" ({string.Join(", ", devices)})")}: lower ranks, or name devices."
            );
        return [.. devices.Chunk(ranks).Where(own => own.Length == ranks).Select(own => new SweepPlace(own, null))];
    }

    /// <summary>
    /// A run takes slots of one host where one has enough, else whole hosts; on devices slot i of a host is its device i.
    /// </summary>
    internal static IReadOnlyList<SweepPlace> OnHosts(HostFile hosts, int ranks, bool isCuda)
    {
        var places = new List<SweepPlace>();
        var open = new List<HostLine>();
        foreach (var line in hosts.Lines)
        {
            int slots =
                line.Slots
                ?? throw new UserErrorException(
                    $"The host file says no slots of {line.Host}: runs are placed by them, so write {line.Host} slots=8."
                );
            if (open.Count == 0 && slots >= ranks)
            {
                for (int first = 0; first + ranks <= slots; first += ranks)
                    places.Add(Part(line.Host, first, slots));
                continue;
            }
            open.Add(line);
            if (open.Sum(one => one.Slots!.Value) < ranks)
                continue;
            places.Add(new([], new HostFile([.. open])));
            open.Clear();
        }
        if (places.Count == 0)
            throw new UserErrorException(
                $"A run of {ranks} ranks needs {ranks} slots, but the hosts have {hosts.SlotsOf(1)}: lower ranks, or add hosts."
            );
        return places;

        SweepPlace Part(string host, int first, int slots)
        {
            string[] devices =
                isCuda && slots > ranks
                    ? [.. Enumerable.Range(first, ranks).Select(device => device.ToString(CultureInfo.InvariantCulture))]
                    : [];
            return new(devices, new HostFile([new HostLine(FormattableString.Invariant($"{host} slots={ranks}"), host, ranks)]));
        }
    }

    private static HostFile HostsOf(SweepConfiguration sweep, string file)
    {
        if (!sweep.Processes)
            throw new UserErrorException("hosts is for runs whose ranks are processes: set processes: true, or take hosts out.");
        if (!File.Exists(file))
            throw new UserErrorException($"hosts names {file}, which does not exist.");
        return HostFile.Read(file);
    }

    private static IReadOnlyList<SweepPlace> Limited(IReadOnlyList<SweepPlace> places, int? jobs, string what)
    {
        if (jobs > places.Count)
            throw new UserErrorException($"--jobs {jobs} asks for more runs side by side than the {what} hold, which is {places.Count}.");
        return jobs is { } wanted ? [.. places.Take(wanted)] : places;
    }

    /// <summary>Devices that this process sees: those it was given, else all that the driver shows.</summary>
    private static IReadOnlyList<string> Visible()
    {
        if (Environment.GetEnvironmentVariable(SweepPlace.DevicesVariable) is { Length: > 0 } given)
            return given.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        int[] found =
        [
            .. Directory
                .EnumerateFiles("/dev", "nvidia*")
                .Select(path => path["/dev/nvidia".Length..])
                .Where(number => number.Length > 0 && number.All(char.IsAsciiDigit))
                .Select(number => int.Parse(number, CultureInfo.InvariantCulture))
                .Order(),
        ];
        if (found.Length == 0)
            throw new UserErrorException(
                "The runs compute on CUDA devices, but none is to be seen here: name them in the sweep, devices: [0, 1], or set CUDA_VISIBLE_DEVICES."
            );
        return [.. found.Select((_, place) => place.ToString(CultureInfo.InvariantCulture))];
    }
}
