using System.Runtime.InteropServices;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;
using Uniscale.Engine.Buckets;
using Uniscale.Telemetry;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>Memory of the processes that ranks are, or are threads of.</summary>
internal static class ProcessMemory
{
    /// <summary>The process that needed most memory. Collective; ranks that are threads of one process have the same.</summary>
    /// <param name="world">The ranks.</param>
    /// <param name="expectedBytes">Peak of a rank's process that was expected; null: nobody says.</param>
    public static PeakMemory Heaviest(IWorld world, Func<int, double>? expectedBytes)
    {
        long[] peaks =
        [
            .. GroupExchange
                .AllGather(world.HostGroup, BitConverter.GetBytes(HostMemory.PeakResidentBytes()))
                .Select(bytes => BitConverter.ToInt64(bytes)),
        ];
        int heaviest = Array.IndexOf(peaks, peaks.Max());
        return new PeakMemory(heaviest, peaks[heaviest], (long?)expectedBytes?.Invoke(heaviest));
    }

    /// <summary>
    /// What the ranks of this process hold in host memory between steps. Collective where they are threads of one process.
    /// </summary>
    public static MemoryAccount StateOf(RankRuntime runtime)
    {
        if (runtime.Configuration.Train.Device != "cpu")
            return default;
        var own = runtime.Model.Memory;
        if (runtime.World.Transport.Length > 0)
            return own;
        byte[] bytes = MemoryMarshal.AsBytes<long>([own.ParameterBytes, own.GradientBytes, own.OptimizerBytes]).ToArray();
        return GroupExchange
            .AllGather(runtime.World.HostGroup, bytes)
            .Select(all => MemoryMarshal.Cast<byte, long>(all).ToArray())
            .Aggregate(default(MemoryAccount), (sum, rank) => sum + new MemoryAccount(rank[0], rank[1], rank[2]));
    }
}
