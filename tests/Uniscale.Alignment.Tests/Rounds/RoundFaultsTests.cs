using System.Reflection;
using Uniscale.Alignment.Rounds;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Training.Faults;

namespace Uniscale.Alignment.Tests.Rounds;

/// <summary>Faults of the process that leads rounds.</summary>
public sealed class RoundFaultsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-round-faults-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Every_point_of_a_round_can_be_named()
    {
        var names = Enum.GetNames<RoundPoint>().Select(Names.Kebab).ToList();
        string[] points = typeof(FaultSection)
            .GetProperty(nameof(FaultSection.Point))!
            .GetCustomAttribute<OneOfAttribute>()!
            .Values.TakeLast(names.Count)
            .ToArray();
        Assert.Equal(names, points);
    }

    [Fact]
    public void A_fault_happens_once_at_its_point_of_its_round()
    {
        var configuration = new RunConfiguration
        {
            Faults = new FaultsSection
            {
                Enabled = true,
                Inject =
                [
                    new FaultSection
                    {
                        Kind = FaultKind.DiskFull,
                        Moment = FaultMoment.Round,
                        Step = 2,
                        Point = "patches-written",
                    },
                ],
            },
        };
        var faults = new RoundFaults(configuration, _folder.FullName);
        faults.At(1, RoundPoint.PatchesWritten);
        faults.At(2, RoundPoint.PairsWritten);
        Assert.Throws<IOException>(() => faults.At(2, RoundPoint.PatchesWritten));
        faults.At(2, RoundPoint.PatchesWritten);
        // Nor after a restart.
        new RoundFaults(configuration, _folder.FullName).At(2, RoundPoint.PatchesWritten);
        Assert.Equal((0, 2L, "disk-full"), FaultMemory.Read(_folder.FullName).Select(fault => (fault.Index, fault.Step, fault.Kind)).Single());
    }
}
