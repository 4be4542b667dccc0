// usage: Uniscale.Collectives.RankProgram SCENARIO [FOLDER]; started under mpirun, every process is one rank. speed RANKS runs threads
// instead.
using Uniscale.Collectives.RankProgram;

return args switch
{
    ["conformance", var folder] => Scenarios.Conformance(folder),
    ["abort", var folder] => Scenarios.Abort(folder),
    ["nccl", var folder] => NcclScenarios.Run(folder),
    ["nccl-missing", var folder] => NcclScenarios.Missing(folder),
    ["order", var folder] => OrderScenario.Run(folder),
    ["mismatch", var folder] => Scenarios.Mismatch(folder),
    ["mpi", var folder] => MpiScenarios.Run(folder),
    ["speed"] => Speed.OverMpi(),
    ["speed", var ranks] => Speed.InProcess(int.Parse(ranks, System.Globalization.CultureInfo.InvariantCulture)),
    _ => throw new ArgumentException($"unknown scenario: {string.Join(' ', args)}"),
};
