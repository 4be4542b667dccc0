using System.Diagnostics;
using System.Globalization;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Support;

/// <summary>
/// The test executable as a process to be killed: with <see cref="Variable"/> set it saves instead of testing. Each save holds the values
/// of its step.
/// </summary>
internal static class SavingChild
{
    private const string Variable = "UNISCALE_SAVING_CHILD";

    private const string Everlasting = "none";

    private const int RanksOfHost = 8;

    /// <summary>Ranks that save, as threads: two, or as many as <c>UNISCALE_SAVING_RANKS</c> says.</summary>
    public static int Ranks { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("UNISCALE_SAVING_RANKS"), CultureInfo.InvariantCulture, out int ranks) ? ranks : 2;

    /// <summary>The model of a rank, the same in parent and child.</summary>
    public static Tensors Model(int rank) =>
        new Tensors()
            .Add("whole", ElementType.Float32, [64, 32])
            .Add("cut", ElementType.BFloat16, [4 * Ranks, 300], [4 * rank, 0], [4, 300])
            .Add("also whole", ElementType.Float32, [900]);

    /// <summary>Starts a child that saves step 1 whole and dies by SIGKILL at a point of step 2 on a rank.</summary>
    public static Process StartDying(string directory, FileGrouping files, SavePoint point, int rank) =>
        Start(string.Create(CultureInfo.InvariantCulture, $"{directory}|{files}|{point}|{rank}"));

    /// <summary>Starts a child that saves step after step until it is killed.</summary>
    public static Process StartEverlasting(string directory, FileGrouping files) => Start($"{directory}|{files}|{Everlasting}|0");

    private static Process Start(string order) =>
        Process.Start(
            new ProcessStartInfo(Environment.ProcessPath!) { Environment = { [Variable] = order }, RedirectStandardOutput = true }
        )!;

    /// <summary>Saves as the environment orders it; returns false where it orders nothing.</summary>
    public static bool SaveInsteadOfTesting()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { } order)
            return false;
        string[] words = order.Split('|');
        var files = Enum.Parse<FileGrouping>(words[1]);
        SavePoint? deadly = words[2] == Everlasting ? null : Enum.Parse<SavePoint>(words[2]);
        ThreadWorld.Run(Ranks, world => SaveUntilDead(world, words[0], files, deadly, int.Parse(words[3], CultureInfo.InvariantCulture)));
        return true;
    }

    private static int SaveUntilDead(IWorld world, string directory, FileGrouping files, SavePoint? deadly, int deadlyRank)
    {
        long step = 0;
        using var model = Model(world.Rank);
        // Two ranks that share no file are on two hosts.
        var options = new CheckpointOptions
        {
            Keep = 2,
            Files = files,
            Host = files == FileGrouping.Node || Ranks > 2 ? $"host-{world.Rank / RanksOfHost}" : $"host-{world.Rank}",
            Probe = Probe,
        };
        using var store = new CheckpointStore(directory, world, options);
        for (step = store.LoadNewest(_ => model.Slices)?.Manifest.Step + 1 ?? 1; deadly is null || step <= 2; step++)
        {
            model.Fill((int)step);
            if (store.SaveAsync(model.State(step)).Wait() is { Status: not SaveStatus.Durable } result)
                throw new InvalidOperationException(result.Reason);
            Console.WriteLine(step);
        }
        return 0;

        void Probe(SavePoint point)
        {
            if (step == 2 && point == deadly && world.Rank == deadlyRank)
            {
                Process.GetCurrentProcess().Kill();
                Thread.Sleep(Timeout.Infinite);
            }
        }
    }
}
