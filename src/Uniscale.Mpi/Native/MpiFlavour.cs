namespace Uniscale.Mpi.Native;

/// <summary>Binary interfaces of MPI, which differ in handles and constants.</summary>
public enum MpiFlavour
{
    /// <summary>
    /// The standard's own since MPI 5: handles are small numbers in pointers. MPICH 5 and Open MPI 6 have it beside their older one.
    /// </summary>
    Standard,

    /// <summary>Open MPI: handles are pointers to exported objects.</summary>
    OpenMpi,

    /// <summary>MPICH and what shares its binary interface (Intel MPI, MVAPICH, Cray MPICH): handles are 32-bit integers.</summary>
    Mpich,
}
