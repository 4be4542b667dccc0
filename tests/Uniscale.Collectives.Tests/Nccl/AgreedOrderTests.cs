using Uniscale.Collectives.RankProgram;

namespace Uniscale.Collectives.Tests.Nccl;

public sealed class AgreedOrderTests
{
    /// <summary>
    /// Four processes with five groups and messages between all; there is one order of all operations of which each rank's is a part.
    /// </summary>
    [Theory]
    [MemberData(nameof(Mpi.MpiConformanceTests.Mpis), MemberType = typeof(Mpi.MpiConformanceTests))]
    public void RanksOverMpiLaunchInOneOrder(string mpi)
    {
        var orders = MpiJob
            .Run(InstalledMpi.Of(mpi), 4, "order")
            .Select(report => new Queue<string>(report["order"].Split(' ')[1..]))
            .ToList();
        Assert.Equal([3 * 16 + 17 * 4, 4 * 16 + 22 * 4, 4 * 16 + 22 * 4, 4 * 16 + 22 * 4], orders.Select(order => order.Count));
        var ranksOf = orders.SelectMany(order => order.Distinct()).CountBy(name => name).ToDictionary();
        int left = orders.Sum(order => order.Count);
        while (left > 0)
        {
            // Devices with one slot: an operation runs when it is next on all its ranks.
            var ready = orders
                .Where(order => order.Count > 0)
                .Select(order => order.Peek())
                .CountBy(name => name)
                .Where(entry => entry.Value == ranksOf[entry.Key])
                .Select(entry => entry.Key)
                .ToHashSet();
            Assert.True(ready.Count > 0, $"nothing can run: {string.Join(", ", orders.Select(order => order.FirstOrDefault("-")))}");
            foreach (var order in orders.Where(order => order.Count > 0 && ready.Contains(order.Peek())))
            {
                order.Dequeue();
                left--;
            }
        }
    }
}
