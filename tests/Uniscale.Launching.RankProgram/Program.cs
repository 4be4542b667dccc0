// usage: Uniscale.Launching.RankProgram SCENARIO: a rank that does little, and ends as the scenario says.
using System.Runtime.InteropServices;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;

try
{
    // A rank that does not come to MPI's start.
    if (args.ElementAtOrDefault(1) == "late" && RankEnvironment.Detect().Rank == 1)
        Thread.Sleep(Timeout.Infinite);
    ProcessRank.Run(RankEnvironment.Detect(), world => Run(world, args[0], args.ElementAtOrDefault(1) ?? ""));
    return 0;
}
catch (UserErrorException)
{
    return 2;
}
catch (Exception failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

static void Run(IWorld world, string scenario, string end)
{
    using var stopping = new ManualResetEventSlim();
    using var signals = new StopSignals(stopping.Set, Environment.GetEnvironmentVariable("RUN_DIRECTORY"));
    if (Sum(world, 1) != world.Size)
        throw new InvalidOperationException("the ranks do not see each other");
    Console.WriteLine($"rank {world.Rank} of {world.Size}, {Environment.GetEnvironmentVariable("OMP_NUM_THREADS")} threads, {scenario}");
    bool isOne = world.Rank == 1;
    switch (scenario)
    {
        case "fail" when isOne:
            throw new InvalidOperationException("the disk is on fire\nException raised from alloc at a.cpp:1\nframe #0: deep inside");
        case "user" when isOne:
            throw new UserErrorException("The corpus does not exist: make it with scripts/corpus.sh.");
        case "exit" when isOne:
            Environment.Exit(7);
            break;
        case "kill" when isOne:
            System.Diagnostics.Process.GetCurrentProcess().Kill();
            break;
        case "stop":
            Loop(world, stopping);
            break;
        case "steps":
            Steps(world, end);
            break;
        case "listen":
            Console.WriteLine($"rank {world.Rank} listens at {string.Join(' ', Listening())}");
            break;
    }
    if (scenario is "fail" or "user" or "exit" or "kill")
        Sum(world, 1);
}

// Ten monitored steps; in the sixth, rank 1 breaks as it is told.
static void Steps(IWorld world, string end)
{
    using var monitor = new RankMonitor(LaunchFolder.OfThisJob()!.FullPath, world);
    if (end == "load")
        Thread.Sleep(Timeout.Infinite);
    for (int step = 1; step <= 10 || end == "outlast"; step++)
    {
        if (step == 6 && world.Rank == 1)
            Break(end);
        Sum(world, 1);
        monitor.Beat(step);
        Thread.Sleep(10);
    }
}

static void Break(string how)
{
    switch (how)
    {
        case "kill":
            System.Diagnostics.Process.GetCurrentProcess().Kill();
            break;
        case "abandon":
            System.Diagnostics.Process.Start("sh", ["-c", $"kill -KILL {LaunchFolder.OfThisJob()!.Mpirun}"]).WaitForExit();
            Thread.Sleep(Timeout.Infinite);
            break;
        case "slaughter":
            System
                .Diagnostics.Process.Start(
                    "sh",
                    [
                        "-c",
                        $"kill -KILL {LaunchFolder.OfThisJob()!.Mpirun} $(cut -d ' ' -f 1 {LaunchFolder.OfThisJob()!.FullPath}/rank-*.begun)",
                    ]
                )
                .WaitForExit();
            Thread.Sleep(Timeout.Infinite);
            break;
        case "sleep":
            Thread.Sleep(Timeout.Infinite);
            break;
        case "asked":
            System.Diagnostics.Process.Start("sh", ["-c", $"kill -TERM {Environment.ProcessId}"]).WaitForExit();
            Thread.Sleep(500);
            break;
        case "freeze":
            System.Diagnostics.Process.Start("sh", ["-c", $"kill -STOP {Environment.ProcessId}"]).WaitForExit();
            Thread.Sleep(Timeout.Infinite);
            break;
    }
}

// Addresses, as the kernel writes them, at which this process itself listens; mpirun's own sockets are inherited by its children.
static IEnumerable<string> Listening()
{
    string[] SocketsOf(string process) =>
        [
            .. Directory
                .GetFileSystemEntries($"/proc/{process}/fd")
                .Select(path =>
                {
                    try
                    {
                        return new FileInfo(path).LinkTarget ?? "";
                    }
                    catch (IOException)
                    {
                        return "";
                    }
                })
                .Where(target => target.StartsWith("socket:[", StringComparison.Ordinal))
                .Select(target => target["socket:[".Length..^1]),
        ];
    string parent = File.ReadAllLines("/proc/self/status").Single(line => line.StartsWith("PPid:", StringComparison.Ordinal)).Split('\t')[
        1
    ];
    string[] own = [.. SocketsOf("self").Except(SocketsOf(parent))];
    return from file in (string[])["/proc/net/tcp", "/proc/net/tcp6"]
           from line in File.ReadLines(file).Skip(1)
           let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
           where fields[3] == "0A" && own.Contains(fields[9])
           select fields[1].Split(':')[0];
}

// Steps until any rank is asked to stop; all ranks end at the same step.
static void Loop(IWorld world, ManualResetEventSlim stopping)
{
    while (Sum(world, stopping.IsSet ? 1 : 0) == 0)
        Thread.Sleep(20);
    Console.WriteLine($"rank {world.Rank} saved and stopped");
}

static int Sum(IWorld world, int value)
{
    nint memory = Marshal.AllocHGlobal(sizeof(int));
    Marshal.WriteInt32(memory, value);
    world.Group.AllReduce(new CommBuffer(memory, 1, ElementType.Int32)).Wait();
    int sum = Marshal.ReadInt32(memory);
    Marshal.FreeHGlobal(memory);
    return sum;
}
