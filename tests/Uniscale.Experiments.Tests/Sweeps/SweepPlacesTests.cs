using Uniscale.Configuration;
using Uniscale.Experiments.Sweeps;
using Uniscale.Launching.Processes;

namespace Uniscale.Experiments.Tests.Sweeps;

public sealed class SweepPlacesTests
{
    private static SweepPlan Plan(SweepConfiguration sweep, string device = "cpu") =>
        new(sweep, "base.yaml", "/tmp/s", [new SweepRun(0, [], [], "/tmp/s/1", "", 8, Device: device)]);

    private static HostFile Hosts(params string[] lines)
    {
        string path = Path.GetTempFileName();
        File.WriteAllLines(path, lines);
        var hosts = HostFile.Read(path);
        File.Delete(path);
        return hosts;
    }

    [Fact]
    public void CoresAreDividedWhereNothingElseIs()
    {
        var places = SweepPlaces.Of(
            Plan(
                new()
                {
                    Cores = 9,
                    Ranks = 2,
                    Threads = 2,
                }
            ),
            jobs: null
        );
        Assert.Equal(2, places.Count);
        Assert.All(places, place => Assert.Equal(("", 0), (place.Title, place.Environment.Count)));
        Assert.Equal(5, SweepPlaces.Of(Plan(new() { Cores = 1 }), jobs: 5).Count);
    }

    [Fact]
    public void EachRunHasDevicesOfItsOwn()
    {
        var places = SweepPlaces.Of(Plan(new() { Ranks = 2, Devices = ["0", "1", "3", "5", "7"] }, "cuda"), jobs: null);
        Assert.Equal(["CUDA_VISIBLE_DEVICES=0,1", "CUDA_VISIBLE_DEVICES=3,5"], places.Select(place => place.Title));
        Assert.Equal("3,5", places[1].Environment["CUDA_VISIBLE_DEVICES"]);
        Assert.Single(SweepPlaces.Of(Plan(new() { Devices = ["0", "1"] }, "cuda"), jobs: 1));
    }

    [Fact]
    public void HostsAreDividedBySlotsAndSharedHostsByDevices()
    {
        var hosts = Hosts("n0 slots=4", "n1:2", "n2 slots=1", "n3 slots=1", "n4 slots=1");
        Assert.Equal(
            ["n0 slots=2 CUDA_VISIBLE_DEVICES=0,1", "n0 slots=2 CUDA_VISIBLE_DEVICES=2,3", "n1 slots=2", "n2 slots=1, n3 slots=1"],
            SweepPlaces.OnHosts(hosts, ranks: 2, isCuda: true).Select(place => place.Title)
        );
        Assert.Equal(
            ["n0 slots=2", "n0 slots=2"],
            SweepPlaces.OnHosts(hosts, ranks: 2, isCuda: false).Select(place => place.Title).Take(2)
        );
        Assert.Equal("n0 slots=4, n1:2", Assert.Single(SweepPlaces.OnHosts(hosts, ranks: 6, isCuda: true)).Title);
    }

    [Fact]
    public void WhatHasNoRoomIsRefused()
    {
        static string Refused(Action action) => Assert.Throws<UserErrorException>(action).Message;
        Assert.Equal(
            "A run of 4 ranks needs 4 devices, but there are 2 (0, 1): lower ranks, or name devices.",
            Refused(() => SweepPlaces.OnDevices(["0", "1"], 4))
        );
        Assert.Contains("devices names one twice", Refused(() => SweepPlaces.OnDevices(["0", "0"], 1)), StringComparison.Ordinal);
        Assert.Contains(
            "needs 8 slots, but the hosts have 3",
            Refused(() => SweepPlaces.OnHosts(Hosts("n0 slots=3"), 8, false)),
            StringComparison.Ordinal
        );
        Assert.Contains("says no slots of n0", Refused(() => SweepPlaces.OnHosts(Hosts("n0"), 1, false)), StringComparison.Ordinal);
        Assert.Contains(
            "set processes: true",
            Refused(() => SweepPlaces.Of(Plan(new() { Hosts = "hosts" }), null)),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "hosts names nowhere, which does not exist",
            Refused(() => SweepPlaces.Of(Plan(new() { Hosts = "nowhere", Processes = true }), null)),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "--jobs 3 asks for more runs side by side than the devices hold, which is 2",
            Refused(() => SweepPlaces.Of(Plan(new() { Devices = ["0", "1"] }), 3)),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "needs 4 cores, but there are 2",
            Refused(() => SweepPlaces.Of(Plan(new() { Cores = 2, Ranks = 4 }), null)),
            StringComparison.Ordinal
        );
        Assert.Contains("--jobs 0 is not a number of runs", Refused(() => SweepPlaces.Of(Plan(new()), 0)), StringComparison.Ordinal);
    }
}
